#!/usr/bin/env bash
# Runs every fuzz target for FUZZ_SECONDS (60) and prints how many inputs each tried. Fails when one finds something.
# Inputs that reach new code are kept in target/fuzz/corpus, so that the next run begins where this one ended.
set -euo pipefail
cd "$(dirname "$0")"
root=$PWD/../..
seconds=${FUZZ_SECONDS:-60}

missing() {
  echo "$1 is missing: run: $2" >&2
  exit 1
}
command -v rustup >/dev/null || missing rustup "your distribution's package manager for the package rustup"
rustup run nightly rustc --version >/dev/null 2>&1 ||
  missing "the nightly toolchain" "rustup toolchain install nightly --profile minimal"
command -v cargo-fuzz >/dev/null || missing cargo-fuzz "cargo install cargo-fuzz --locked"

# Without AddressSanitizer: the sidecar has no unsafe code for it to look at (the lint forbids it), and it halves the speed.
export CARGO_TARGET_DIR=$root/target/fuzz
cargo +nightly fuzz build --fuzz-dir . --sanitizer none
programs=$CARGO_TARGET_DIR/$(rustc +nightly -vV | sed -n 's/^host: //p')/release

status=0
for target in $(cargo +nightly fuzz list --fuzz-dir .); do
  corpus=$CARGO_TARGET_DIR/corpus/$target
  found=$CARGO_TARGET_DIR/found/$target
  log=$CARGO_TARGET_DIR/$target.log
  mkdir -p "$corpus" "$found"
  if "$programs/$target" "$corpus" "seeds/$target" -max_total_time="$seconds" -max_len=1024 -timeout=20 \
    -artifact_prefix="$found/" -print_final_stats=1 >"$log" 2>&1; then
    verdict="nothing found"
  else
    verdict="FOUND, see $log; again: FUZZ_TELL=1 $programs/$target INPUT"
    status=1
  fi
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  printf '%-13s %6s s %12s executions  %s\n' "$target" "$seconds" "${executions:-?}" "$verdict"
  [ "$status" = 0 ] || grep -m 1 -A 4 panicked "$log" || true
done
exit "$status"
