#!/bin/sh
# Part of mailwizard, to be run by root once Postfix works.
# Hands to Postfix what exim4 left unsent when its package went; what Postfix has taken is moved to
# /var/spool/exim4/handed-over. The files are as in chapter "Format of spool files" of Exim's manual.
set -eu
umask 077
command -v postqueue >/dev/null || { echo "Postfix is not installed" >&2; exit 1; }
cd /var/spool/exim4/input
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p ../handed-over
find . -type f -name '*-H' >"$work/heads"
handed=0 kept=0
while read -r head; do
  message=${head%-H}
  # the journal (-J) names who has it already, as the tree of those before the recipients does
  [ ! -e "$message-J" ] || cp "$message-J" "$work/done"
  [ -e "$message-J" ] || : >"$work/done"
  LC_ALL=C awk -v sender="$work/sender" -v to="$work/to" '
    FILENAME ~ /\/done$/ { served[$0]; next }
    FNR == 3 { print substr($0, 2, length($0) - 2) >sender }
    FNR <= 4 { next }
    part == 0 && /^-/ { next }
    part == 0 && /^XX$/ { next }
    part == 0 && /^[NY][NY] / { served[substr($0, 4)]; next }
    part == 0 { left = $0 + 0; part = 1; printf "" >to; next }
    part == 1 && left > 0 { left--; if (!($1 in served)) print $1 >to; next }
    part == 1 { part = 2; next }
    # 012F From: ...; those with a star have been replaced
    /^[0-9][0-9][0-9]+[A-Z *]/ {
      match($0, /^[0-9]+/)
      shown = substr($0, RLENGTH + 1, 1) != "*"
      if (shown) print substr($0, RLENGTH + 3)
      next
    }
    shown' "$work/done" "$head" >"$work/message"
  { echo; tail -n +2 "$message-D"; } >>"$work/message"
  set --
  while read -r recipient; do set -- "$@" "$recipient"; done <"$work/to"
  if [ "$#" -gt 0 ] && ! sendmail -i -f "$(cat "$work/sender")" -- "$@" <"$work/message"; then
    kept=$((kept + 1))
    continue
  fi
  handed=$((handed + 1))
  for file in "$message"-[DHJ]; do [ ! -e "$file" ] || mv "$file" ../handed-over/; done
done <"$work/heads"
echo "handed to Postfix: $handed, kept in /var/spool/exim4/input: $kept"
[ "$kept" = 0 ]
