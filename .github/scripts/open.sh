#!/usr/bin/env bash
# Push the candidate that `graft add` opened as a branch and open its pull request: open.sh NAME.
# Needs gh with GH_TOKEN and GH_REPO, URL of the repository and, for one that asks, TOKEN.
set -euo pipefail
name=$1
header=()
if [ -n "${TOKEN:-}" ]; then
  header=(-c "http.extraheader=Authorization: Basic $(printf 'x-access-token:%s' "$TOKEN" | base64 --wrap=0)")
fi
if git "${header[@]}" ls-remote --exit-code "$URL" "refs/heads/refresh/$name" > /dev/null; then
  echo "nothing new: $name waits in the branch refresh/$name"
  exit 0
fi
git switch --quiet --create "refresh/$name"
git add --all
git -c user.name="graft" -c user.email="graft@users.noreply.github.com" commit --quiet --message "Add $name"
git "${header[@]}" push --quiet "$URL" "HEAD:refs/heads/refresh/$name"
gh pr create --head "refresh/$name" --title "Add $name" --body "A new drop. retrain.yml trains it; the gate's report follows."
