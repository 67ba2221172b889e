#!/usr/bin/env bash
# Installs what building and running longsight needs and this machine lacks: a C compiler, Rust, ffmpeg.
# Does nothing where all is there. Debian and Ubuntu (root or sudo), and macOS through Homebrew.
#
#   bash scripts/setup.sh [--lints]     --lints: also rustfmt and clippy
#
# demo.sh, test.sh and .ci/run source this file, so that a fresh Rust is on their PATH.
set -euo pipefail

setup_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
rust_wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$setup_root/Cargo.toml")
apt_lists_fresh=no
apt_reason=

say() { printf 'setup: %s\n' "$*" >&2; }

fail() {
  printf 'setup: error: %s\n' "$*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# apt_get ARGUMENTS...: quiet; where it fails, apt_reason says why in one line.
apt_get() {
  local log status=0
  log=$(mktemp)
  as_root env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >"$log" 2>&1 || status=$?
  apt_reason=$(grep -m 1 '^E: ' "$log" || tail -n 1 "$log")
  apt_reason=${apt_reason#E: }
  rm -f "$log"
  return "$status"
}

# Lists may be absent (containers) or old, so refresh them once before the first use. One broken list among several
# need not matter, so a failure here is only said.
refresh_apt_lists() {
  [ "$apt_lists_fresh" = no ] || return 0
  apt_lists_fresh=yes
  say "refreshing the package lists (apt-get update)"
  apt_get update || say "apt-get update failed ($apt_reason); going on with the lists that are there"
}

# install WHAT-FOR APT-PACKAGES BREW-PACKAGES
install() {
  if have apt-get; then
    [ "$(id -u)" -eq 0 ] || have sudo || fail "no root and no sudo here: install $1 by hand, then run this again"
    refresh_apt_lists
    say "installing $1 (apt-get install $2)"
    # shellcheck disable=SC2086 # a list of packages
    apt_get install -y --no-install-recommends $2 ||
      fail "apt-get install failed ($apt_reason): install $1 by hand, then run this again"
  elif have brew; then
    say "installing $1 (brew install $3)"
    # shellcheck disable=SC2086 # a list of packages
    brew install --quiet $3 >&2 || fail "brew could not install $3: install $1 by hand, then run this again"
  else
    fail "neither apt-get nor Homebrew here: install $1 by hand, then run this again"
  fi
}

compiler_works() {
  local dir works=no
  dir=$(mktemp -d)
  printf '#include <stdio.h>\nint main(void) { return 0; }\n' >"$dir/a.c"
  if have cc && cc "$dir/a.c" -o "$dir/a" >/dev/null 2>&1; then works=yes; fi
  rm -rf "$dir"
  [ "$works" = yes ]
}

need_compiler() {
  compiler_works && return
  [ "$(uname -s)" != Darwin ] || fail "no C compiler: run xcode-select --install, then run this again"
  install "a C compiler" "gcc libc6-dev" gcc
  compiler_works || fail "cc cannot compile a small program: install gcc and libc6-dev by hand, then run this again"
}

# version_suffices MAJOR.MINOR[.REST]
version_suffices() {
  local major=${1%%.*} rest=${1#*.}
  local minor=${rest%%[!0-9]*}
  local wanted_minor=${rust_wanted#*.}
  [[ $major =~ ^[0-9]+$ && $minor =~ ^[0-9]+$ ]] || return 1
  ((major > ${rust_wanted%%.*} || (major == ${rust_wanted%%.*} && minor >= ${wanted_minor%%.*})))
}

# In the project's folder: a toolchain file or override elsewhere does not count.
rust_works() {
  have cargo && have rustc && version_suffices "$(cd "$setup_root" && rustc --version 2>/dev/null | cut -d ' ' -f 2)"
}

apt_has_rust() {
  have apt-get && { [ "$(id -u)" -eq 0 ] || have sudo; } || return 1
  refresh_apt_lists
  version_suffices "$(LC_ALL=C apt-cache policy rustc | sed -n 's/^ *Candidate: \([0-9]*:\)\{0,1\}//p')"
}

install_rust_with_rustup() {
  local by_hand="install Rust $rust_wanted or newer by hand (https://rustup.rs), then run this again" script
  if have rustup; then
    say "installing the stable Rust toolchain (rustup toolchain install stable)"
    rustup toolchain install stable --profile minimal >&2 || fail "rustup could not install Rust: $by_hand"
    export RUSTUP_TOOLCHAIN=stable
    return
  fi
  have curl || install curl "curl ca-certificates" curl
  say "installing Rust for this user (https://sh.rustup.rs, into ${CARGO_HOME:-$HOME/.cargo})"
  script=$(mktemp)
  if ! curl --proto '=https' --tlsv1.2 -sSfL https://sh.rustup.rs -o "$script" 2>/dev/null; then
    rm -f "$script"
    fail "cannot download from sh.rustup.rs: $by_hand"
  fi
  # An older Rust of the distribution may stay: the new one comes first on PATH.
  if ! RUSTUP_INIT_SKIP_PATH_CHECK=yes sh "$script" -y -q --profile minimal --no-modify-path >&2; then
    rm -f "$script"
    fail "the rustup installer failed: $by_hand"
  fi
  rm -f "$script"
  say "to use cargo in your own shell: . \"${CARGO_HOME:-$HOME/.cargo}/env\""
}

need_rust() {
  # A Rust that rustup installed earlier may not be on this shell's PATH yet.
  rust_works || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
  export PATH
  rust_works && return
  if ! have rustup && apt_has_rust; then
    install "Rust" "cargo rustc ca-certificates" rust
  elif ! have apt-get && have brew; then
    install "Rust" "" rust
  else
    install_rust_with_rustup
  fi
  hash -r
  rust_works || fail "no Rust $rust_wanted or newer on PATH: install it by hand (https://rustup.rs), then run this again"
}

need_lints() {
  if ! (cd "$setup_root" && cargo fmt --version && cargo clippy --version) >/dev/null 2>&1; then
    if have rustup; then
      say "installing rustfmt and clippy (rustup component add)"
      (cd "$setup_root" && rustup component add rustfmt clippy) >&2 ||
        fail "rustup could not add them: install rustfmt and clippy by hand, then run this again"
    else
      install "rustfmt and clippy" "rustfmt rust-clippy" rust
    fi
  fi
}

need_ffmpeg() {
  have ffmpeg && have ffprobe && return
  install ffmpeg ffmpeg ffmpeg
}

# The libraries of Cargo.lock; later cargo commands then need no network.
need_crates() {
  local target reason
  target=$(rustc -vV | sed -n 's/^host: //p')
  cd "$setup_root"
  cargo fetch --quiet --locked --offline --target "$target" >/dev/null 2>&1 && return
  say "downloading the Rust libraries of Cargo.lock (cargo fetch)"
  if ! reason=$(cargo fetch --quiet --locked --target "$target" 2>&1); then
    reason=$(printf '%s\n' "$reason" | grep -v '^ *$' | tail -n 1 | sed 's/^ *//')
    fail "cargo fetch failed ($reason): run 'cargo fetch --locked' by hand, then run this again"
  fi
}

need_compiler
need_rust
[ "${1:-}" != --lints ] || need_lints
need_ffmpeg
(need_crates)
say "ready: $(rustc --version | cut -d ' ' -f 1,2), $(ffmpeg -version | cut -d ' ' -f 1-3 | head -n 1)"
