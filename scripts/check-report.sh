#!/usr/bin/env bash
# Opens HTML reports in a headless Chromium (installs it where it is missing) and fails on a console message, a missing
# element, a script that ran, or a page wider than a phone.
#
#   bash scripts/check-report.sh REPORT.html...     CHROMIUM=/path/to/browser to choose one
set -euo pipefail
check_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
  sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
}

[ "$#" -gt 0 ] || usage

failures=0
complain() {
  printf 'check-report: %s\n' "$*" >&2
  failures=$((failures + 1))
}

find_browser() {
  local name
  for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
    [ -n "$name" ] && command -v "$name" && return
  done
  return 1
}

need_browser() {
  browser=$(find_browser) && return
  # shellcheck source=scripts/setup.sh
  . "$check_root/scripts/setup.sh"
  install "a browser" "chromium fonts-dejavu-core" chromium
  browser=$(find_browser) || fail "no chromium on PATH after installing it: name one with CHROMIUM=/path/to/browser"
}

# open_page FILE: what the page became goes to $work/dom, what the browser says to $work/log.
open_page() {
  timeout 60 "$browser" --headless --no-sandbox --disable-gpu --disable-background-networking --disable-extensions \
    --no-first-run --user-data-dir="$work/profile" --window-size=390,844 --enable-logging=stderr --v=0 \
    --dump-dom "file://$1" >"$work/dom" 2>"$work/log" </dev/null
}

# The page's own policy forbids scripts, so a copy without it measures itself; its 390 pixels are a frame's, because
# windows cannot be that narrow.
check_width() {
  local report=$1 width
  mkdir -p "$work/width"
  grep -v 'http-equiv="Content-Security-Policy"' "$report" |
    sed 's|</body>|<script>parent.postMessage(document.documentElement.scrollWidth, "*")</script></body>|' \
      >"$work/width/page.html"
  cat >"$work/width/frame.html" <<'HTML'
<!DOCTYPE html><title>waiting</title>
<script>onmessage = event => { document.title = "width " + event.data; };</script>
<iframe src="page.html" width="390" height="844" style="border:0"></iframe>
HTML
  open_page "$work/width/frame.html" || return 0
  width=$(sed -n 's/.*<title>width \([0-9]*\)<.*/\1/p' "$work/dom")
  [ -n "$width" ] || { complain "$report: its width could not be measured"; return 0; }
  [ "$width" -le 390 ] || complain "$report: $width pixels wide on a phone of 390"
}

check_report() {
  local report=$1 said element
  [ -f "$report" ] || { complain "$report: no such file"; return 0; }
  report=$(cd "$(dirname "$report")" && pwd)/$(basename "$report")
  open_page "$report" || { complain "$report: the browser failed: $(tail -n 1 "$work/log")"; return 0; }
  said=$(grep -F ':CONSOLE' "$work/log" || true)
  [ -z "$said" ] || complain "$report: the console says: $said"
  for element in '<h1>' '<main>' '<svg ' '<table' '<caption>' '</html>'; do
    grep -qF "$element" "$work/dom" || complain "$report: no $element"
  done
  ! grep -qiF '<script' "$work/dom" || complain "$report: holds a script"
  check_width "$report"
}

need_browser
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for report in "$@"; do
  check_report "$report"
done
[ "$failures" -eq 0 ] || exit 1
echo "check-report: $# of $# reports are sound"
