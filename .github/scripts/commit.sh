#!/usr/bin/env bash
# Commit what a training wrote to the branch that it trained: commit.sh FOLDER HEAD BRANCH, run from a checkout of the
# base. Neither the branch nor FOLDER is checked out or run: pipeline/ci/commit.py builds the commit from git's objects.
# Needs URL of the repository and, for one that asks, TOKEN.
set -euo pipefail
folder=$1 head=$2 branch=$3
header=()
if [ -n "${TOKEN:-}" ]; then
  header=(-c "http.extraheader=Authorization: Basic $(printf 'x-access-token:%s' "$TOKEN" | base64 --wrap=0)")
fi
git "${header[@]}" fetch --quiet --no-tags --no-recurse-submodules --depth 1 "$URL" "$head"
commit=$(python3 -m pipeline.ci.commit "$folder" "$head")
if [ -z "$commit" ]; then
  echo "nothing to commit: what was trained is what the branch holds"
  exit 0
fi
# Not forced: a branch that moved on while it trained refuses, and its newest commit is trained next.
git "${header[@]}" push --quiet --no-verify "$URL" "$commit:refs/heads/$branch"
