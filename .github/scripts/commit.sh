#!/usr/bin/env bash
# Commit what a training wrote to the branch that it trained: commit.sh FOLDER BRANCH. The folder comes from a job
# that ran the branch's code, so only these names are taken from it, and only regular files.
# Needs URL of the repository and, for one that asks, TOKEN.
set -euo pipefail
folder=$1 branch=$2
names=(dvc.lock reports/report.md reports/metrics.json reports/verdict.json reports/changes.json reports/decision.json
  reports/reasons.json reports/training.json reports/manifest.json
  reports/plots/{loss,learning_rate,slices,calibration,forgetting}.csv)
for name in "${names[@]}"; do
  if [ -f "$folder/$name" ] && [ ! -L "$folder/$name" ]; then
    mkdir -p "$(dirname "$name")" && cp "$folder/$name" "$name" && git add -- "$name"
  fi
done
if git diff --cached --quiet; then
  echo "nothing to commit: what was trained is what the branch holds"
  exit 0
fi
git -c user.name="graft" -c user.email="graft@users.noreply.github.com" commit --quiet --message "Train the candidate"
header=()
if [ -n "${TOKEN:-}" ]; then
  header=(-c "http.extraheader=Authorization: Basic $(printf 'x-access-token:%s' "$TOKEN" | base64 --wrap=0)")
fi
# Not forced: a branch that moved on while it trained refuses, and its newest commit is trained next.
git "${header[@]}" push --quiet "$URL" "HEAD:refs/heads/$branch"
