#!/bin/sh
# record.sh COMMAND ARGS… runs a command in a terminal of 96 columns and prints
# two frames with their ANSI colours: of those that contain "├─" the one with
# the most rows, and the last one. It needs tmux.
set -eu
session=record-$$
end=the-recording-has-ended
# The session outlives the command, so that its last frame can be read.
tmux new-session -d -s "$session" -x 96 -y 24 "$*; echo; echo $end; sleep 60"
trap 'tmux kill-session -t "$session"' EXIT
best= most=0
while frame=$(tmux capture-pane -p -e -t "$session"); do
	case $frame in
	*"$end"*) break ;;
	*├─*)
		rows=$(printf %s "$frame" | wc -l)
		if [ "$rows" -ge "$most" ]; then best=$frame most=$rows; fi
		;;
	esac
	sleep 0.1
done
if [ -z "$best" ]; then
	echo "record.sh: no frame contained ├─; the last was" "$frame" >&2
	exit 1
fi
last=$(printf '%s\n' "$frame" | sed "/$end/,\$d")
printf '%s\n\n%s\n' "$best" "$last"
