#!/usr/bin/env bash
# One group of kubectl's suite: group.sh GROUP MISSES, in the root of a Kubernetes checkout.
# Upstream's files are sourced as they are. Where upstream's shell would stop at the first command that fails, this
# one writes "file:line" into MISSES and goes on, so that one run tells all that a group misses. What MISSES says
# before goes as the group begins.
# The environment: SECURE_API_PORT (TLS), KUBE_OUTPUT_HOSTBIN (the folder of kubectl), TMPDIR, HOME.
group=$1 misses=$2
hostbin=$KUBE_OUTPUT_HOSTBIN

set -o pipefail
export ALLOW_SKEW=y SUPPORTED_RESOURCES=("*")
source hack/lib/init.sh
source hack/lib/test.sh
KUBE_OUTPUT_HOSTBIN=$hostbin
source test/cmd/legacy-script.sh
for file in test/cmd/*.sh; do
  [ "$(basename "$file")" = legacy-script.sh ] || source "$file"
done

kube::util::ensure-temp-dir
kube::util::ensure-gnu-sed
CONTEXT=test
kubectl config set-credentials test-admin --token=admin-token
kubectl config set-cluster local --insecure-skip-tls-verify --server="https://127.0.0.1:$SECURE_API_PORT"
kubectl config set-context $CONTEXT --user=test-admin --cluster=local
kubectl config use-context $CONTEXT

# Upstream's functions turn errexit on where a failure counts: here that turns the trap below on.
set() {
  case "$*" in
    *-o\ errexit* | -e*) watching=y ;;
    *+o\ errexit* | +e*) watching= ;;
    *) builtin set "$@" ;;
  esac
}

# Called for each command that fails; told is the line in the group's file.
missed() {
  [ -n "$watching" ] && [ "$BASH_SUBSHELL" -eq "$depth" ] && tell
}

tell() {
  local at
  for at in "${!BASH_SOURCE[@]}"; do
    case "${BASH_SOURCE[at]}" in
      *legacy-script.sh) ;;
      *test/cmd/*)
        echo "$(basename "${BASH_SOURCE[at]}"):${BASH_LINENO[at - 1]}" | tee -a "$misses"
        return
        ;;
    esac
  done
  echo "$group left early" | tee -a "$misses"
}

# What the suite calls for every group; here for the one that was asked for, whatever its name.
record_command() {
  builtin set +o errexit +o nounset
  (
    depth=$BASH_SUBSHELL watching=
    builtin set -o errtrace
    trap missed ERR
    trap stop-proxy EXIT
    : > "$misses"
    exit() {
      [ "${1:-0}" -eq 0 ] || [ "$BASH_SUBSHELL" -gt "$depth" ] || tell
      builtin exit "$@"
    }
    "$group"
  )
}

builtin set +o errexit +o nounset
WHAT=chosen runTests
