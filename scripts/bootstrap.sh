#!/bin/sh
# Brings the machine to where `make` targets run: git, any Node that can start npm, and the locked
# dependencies, among them the Node 24 that everything runs on. Needs no Node to begin with, hence sh.
#   sh scripts/bootstrap.sh           what the demo and the checks need
#   sh scripts/bootstrap.sh --redis   and redis-server and faketime, for the tests that want them
#   sh scripts/bootstrap.sh --cluster and what a real Kubernetes is built of and runs on
# As root on Debian what is missing comes by apt; elsewhere it is said how to get it.
# Prints to stderr only: the output of the command that follows belongs to that command.
set -eu
cd "$(dirname "$0")/.."
mkdir -p .cache
exec 1>&2

# Once at a time: two makes in one checkout would delete each other's node_modules. Freed with the process.
if command -v flock >/dev/null; then
  exec 9>.cache/bootstrap.lock
  flock 9
fi

# npm ci deletes node_modules, so it must not run on the Node in there.
ours=$PWD/node_modules/.bin
PATH=$(printf '%s' ":$PATH:" | sed "s|:$(printf '%s' "$ours" | sed 's/[.[\*^$|\\]/\\&/g'):|:|g; s/^://; s/:\$//")
export PATH

has() { command -v "$1" >/dev/null 2>&1; }

fail() {
  printf '%s\n' "$@"
  exit 1
}

# Runs a command that takes a while: a dot each two seconds, its output only if it fails.
slowly() {
  what=$1 log=.cache/bootstrap.log
  shift
  printf '%s ' "$what"
  started=$(date +%s)
  ( while sleep 2 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do printf .; done ) 9>&- &
  ticker=$!
  trap 'kill $ticker 2>/dev/null || :' EXIT
  trap 'exit 130' INT TERM HUP
  status=0
  "$@" >"$log" 2>&1 9>&- </dev/null || status=$?
  kill $ticker 2>/dev/null || :
  wait $ticker 2>/dev/null || :
  trap - EXIT INT TERM HUP
  if [ $status -eq 0 ]; then
    echo " $(($(date +%s) - started)) s"
  else
    echo ' failed'
    # npm says what is wrong first, apt last.
    sed 30q "$log"
    if [ "$(wc -l <"$log")" -gt 60 ]; then echo '...'; fi
    sed 1,30d "$log" | tail -n 30
  fi
  return $status
}

can_apt() { [ "$(id -u)" -eq 0 ] && [ -e /etc/debian_version ] && has apt-get; }

apt_updated=no
apt_install() {
  if [ $apt_updated = no ]; then
    slowly 'Reading the package lists (apt-get update)' apt-get update -q || return 1
    apt_updated=yes
  fi
  slowly "Installing by apt: $*" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"
}

# 1. git, node, npm
missing=
has git || missing="$missing git"
has node || missing="$missing nodejs"
has npm || missing="$missing npm"
if [ -n "$missing" ] && can_apt; then
  # shellcheck disable=SC2086 # a list of words
  apt_install $missing || fail "apt could not install:$missing. Its messages are above."
fi

node_help='  Debian 12, Ubuntu 24.04 or newer:  sudo apt-get install --no-install-recommends nodejs npm
  macOS:                             brew install node
  elsewhere, or to replace an old one:  https://nodejs.org/en/download
Any Node from 18 with npm from 9 is enough to start: the Node 24 that Drydock runs on is a dependency and comes by npm.'

has git || fail 'Drydock needs git, and there is none on PATH.' \
  '  Debian, Ubuntu:  sudo apt-get install git' '  macOS:           xcode-select --install'
has node || fail 'Drydock needs Node.js to start, and there is none on PATH.' "$node_help"
has npm || fail 'Drydock needs npm, and there is none on PATH (some systems package it apart from Node.js).' "$node_help"

node_version=$(node --version) || fail "The Node.js on PATH, $(command -v node), does not run." "$node_help"
node_major=${node_version#v} node_major=${node_major%%.*}
[ "$node_major" -ge 18 ] || fail "The Node.js on PATH, $(command -v node), is $node_version: too old to start npm." "$node_help"

# 2. the locked dependencies
if ! node scripts/installed.js; then
  npm_version=$(npm --version) || fail "The npm on PATH, $(command -v npm), does not run." "$node_help"
  [ "${npm_version%%.*}" -ge 9 ] ||
    fail "The npm on PATH, $(command -v npm), is $npm_version: too old." '  sudo npm install --global npm@10' "$node_help"

  # Said on the command line, so that nobody's own npm settings leave out what the checks need.
  npm_ci() {
    NODE_OPTIONS="${NODE_OPTIONS:-} --require \"$PWD/scripts/install-for-node-24.cjs\"" \
      npm ci --include=dev --include=optional --ignore-scripts=false --no-audit --no-fund --loglevel=error
  }
  slowly 'Installing dependencies (npm ci, about half a minute)' npm_ci ||
    slowly 'Trying once more' npm_ci ||
    fail 'npm could not install the dependencies; its messages are above.' \
      'Behind a proxy, or with a registry of your own? npm reads HTTPS_PROXY and ~/.npmrc.' \
      'With a private certificate authority: NODE_EXTRA_CA_CERTS=/path/to/ca.pem.'
  node scripts/installed.js --explain || fail 'npm ended well, but node_modules is not what package-lock.json says.'
fi

# 3. for tests only: a real Redis, and what gives a program another clock
asked_for() { case " $options " in *" $1 "*) ;; *) return 1 ;; esac }
options=$*
if asked_for --redis; then
  for tool in redis-server faketime; do
    if ! has $tool && can_apt; then
      apt_install $tool || echo "apt could not install $tool: the tests that need it are skipped."
    fi
  done
  has redis-server || echo 'No redis-server on PATH: the tests named *.redis.test.ts are skipped.' \
    'Get it: sudo apt-get install redis-server, or brew install redis.'
  has faketime || echo 'No faketime on PATH: the tests with a wrong clock are skipped.' \
    'Get it: sudo apt-get install faketime, or brew install libfaketime.'
fi

# 4. for the test cluster only: program (or file) and the Debian package that has it. What then cannot run is said by
# who would run it: cluster/src/why-not.ts.
if asked_for --cluster; then
  packages=
  needs() { has "$1" || [ -e "$1" ] || packages="$packages $2"; }
  needs etcd etcd-server
  needs openssl openssl
  needs go golang-go
  needs ip iproute2
  needs nft nftables
  needs conntrack conntrack
  needs ethtool ethtool
  needs gcc 'gcc libc6-dev'
  needs pkg-config pkg-config
  needs /usr/include/seccomp.h libseccomp-dev
  needs /usr/lib/cni/loopback containernetworking-plugins
  needs clang-19 clang-19
  needs llc-19 llvm-19
  needs debootstrap debootstrap
  needs bpftool bpftool
  needs buildah buildah
  if [ -n "$packages" ] && can_apt; then
    # shellcheck disable=SC2086 # a list of words
    apt_install $packages || echo "apt could not install all of:$packages. What needs them is skipped."
  fi
fi
