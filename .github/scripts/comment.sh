#!/usr/bin/env bash
# One comment of a pull request, written anew each time: comment.sh NUMBER FILE. FILE is what the pull request's code
# wrote: no part of it becomes part of a command, and only this workflow's own comments are edited.
# Needs gh, GH_TOKEN with pull-requests: write, and GH_REPO.
set -euo pipefail
number=$1 file=$2
[ -f "$file" ] && [ ! -L "$file" ] || { echo "$file: not a regular file" >&2; exit 1; }
body=$(mktemp) rest=$(mktemp)
tail -n +2 "$file" > "$rest"
{ echo "<!-- graft: candidate -->"; head -c 60000 "$rest"; } > "$body" # GitHub takes 65,536 characters
found=$(gh api --paginate "repos/$GH_REPO/issues/$number/comments" --jq \
  '.[] | select(.user.login == "github-actions[bot]" and (.body | startswith("<!-- graft: candidate -->"))) | .id' |
  head -n 1)
if [ -n "$found" ]; then
  gh api --method PATCH "repos/$GH_REPO/issues/comments/$found" --field "body=@$body" > /dev/null
else
  gh api --method POST "repos/$GH_REPO/issues/$number/comments" --field "body=@$body" > /dev/null
fi
