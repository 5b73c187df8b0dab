#!/usr/bin/env bash
# Counts the instructions that codec and engine take for a message, which no other load of the machine changes, and fails if
# they are more than 5 % above tests/instructions.txt. `instructions.sh write` writes that file.
set -euo pipefail
cd "$(dirname "$0")/.."
BUDGET=tests/instructions.txt
TURN_MESSAGES=20
# The start of the program is in both runs, so it is in none of the difference.
FEW_TURNS=50
MANY_TURNS=550

# count QOS TURNS
count() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/steady "$1" "$2" 2>&1 |
    sed -n 's/^.*Collected : //p'
}

# per_message QOS
per_message() {
  local few many
  few=$(count "$1" $FEW_TURNS)
  many=$(count "$1" $MANY_TURNS)
  echo $(((many - few) / ((MANY_TURNS - FEW_TURNS) * TURN_MESSAGES)))
}

measure() {
  local qos
  for qos in 0 1; do
    echo "QoS $qos: $(per_message $qos)"
  done
}

if [ "${1:-}" = write ]; then
  measure | tee "$BUDGET"
  exit
fi
failed=0
while IFS= read -r line; do
  name=${line%%:*}
  now=${line##*: }
  budget=$(sed -n "s/^$name: //p" "$BUDGET")
  echo "$name: $now instructions a message, budget $budget"
  if [ $((now * 100)) -gt $((budget * 105)) ]; then
    echo "$name takes more than 5 % above its budget: find out why, or say why it is worth it and run make instructions WRITE=1" >&2
    failed=1
  fi
done < <(measure)
exit $failed
