#!/usr/bin/env bash
# One comment of a pull request, written anew each time: comment.sh NUMBER FILE. The file's first line marks it.
# Needs gh, GH_TOKEN with pull-requests: write, and GH_REPO.
set -euo pipefail
number=$1 file=$2
mark=$(head -n 1 "$file")
found=$(gh api --paginate "repos/$GH_REPO/issues/$number/comments" \
  --jq ".[] | select(.body | startswith(\"$mark\")) | .id" | head -n 1)
if [ -n "$found" ]; then
  gh api --method PATCH "repos/$GH_REPO/issues/comments/$found" --field "body=@$file" > /dev/null
else
  gh api --method POST "repos/$GH_REPO/issues/$number/comments" --field "body=@$file" > /dev/null
fi
