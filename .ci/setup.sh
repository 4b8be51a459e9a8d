#!/bin/sh
# Set-up, as `make` runs it: a .venv with the locked packages, a compiler for i386 programs, and gdb.
#
# It may be run again at any time and keeps what is already right. System packages that are missing are
# installed where that needs no question (root, or sudo without a password); where it does, a compiler and a
# gdb that come as Python packages stand in for them, until this is run again with the real ones installed.
# It leaves .venv/toolchain.mk for the Makefile.
#
# Environment:
#   PYTHON                       the Python to make .venv with, instead of the first that is new enough
#   INSPECTOR_SETUP_NO_SYSTEM=1  install no system packages
#   INSPECTOR_SETUP_IGNORE=...   any of "cc gdb": take these as missing from the system
#
# `setup.sh browser` gets what the tests of pages need, a browser and what drives it, where it can. It never
# fails: those tests say themselves why they are skipped.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/.."

venv=.venv
python=$venv/bin/python
# zig keeps what it has compiled of its C library: here, since a home may be missing or read-only.
export ZIG_GLOBAL_CACHE_DIR="$PWD/$venv/zig-cache"

say() { printf 'set-up: %s\n' "$*" >&2; }

ignored() {
    case " ${INSPECTOR_SETUP_IGNORE:-} " in *" $1 "*) return 0 ;; esac
    return 1
}

# --- Python ---

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        new_enough "$PYTHON" && printf '%s\n' "$PYTHON"
        return
    fi
    # python3 comes first: it is the one whose venv module the distribution packages.
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if new_enough "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

# What pip says goes to a log: of a network that is away it says much, and little of use.
pip_install() {
    "$python" -m pip --disable-pip-version-check install -q "$@" >"$venv/pip.log" 2>&1 || {
        say "pip failed ($venv/pip.log has it all); is there a network? Its last line: $(tail -n 1 "$venv/pip.log")"
        return 1
    }
}

# A .venv that was made for another place, or by a Python that is gone or too old, is made again.
venv_is_sound() {
    [ -f "$venv/root" ] && [ "$(cat "$venv/root")" = "$(pwd -P)" ] && new_enough "$python" &&
        "$python" -m pip --version >/dev/null 2>&1
}

make_venv() {
    venv_is_sound && return
    say "making $venv with $base_python"
    # rm would name every file that it may not remove.
    rm -rf "$venv" 2>/dev/null ||
        give_up "$venv does not work here and may not be removed: have its owner remove it, or use a checkout of your own"
    "$base_python" -m venv "$venv" >/dev/null || return 1
    pwd -P >"$venv/root"
}

install_python_packages() {
    if ! cmp -s requirements.lock "$venv/requirements.lock"; then
        say 'installing the Python packages of requirements.lock'
        pip_install --require-hashes -r requirements.lock || return 1
        cp requirements.lock "$venv/requirements.lock"
    fi
    pip_install --no-deps --no-build-isolation --editable .
}

# --- compiler and gdb ---

# A package's name proves little: only a program that links shows that the 32-bit C library is there.
# Sets cc32 and cc32_kind when the command given can link a static i386 program.
try_cc() {
    kind=$1
    shift
    printf '#include <stdio.h>\nint main(void) { return puts("linked") < 0; }\n' >"$scratch/probe.c"
    "$@" -static "$scratch/probe.c" -o "$scratch/probe" >"$scratch/log" 2>&1 || return 1
    cc32=$*
    cc32_kind=$kind
}

find_cc() {
    ignored cc && return 1
    for candidate in "${CC:-gcc}" gcc clang; do
        path=$(command -v "${candidate%% *}") && try_cc gcc "$path" -m32 && return
    done
    path=$(command -v zig) && try_cc zig "$path" cc -target x86-linux-musl
}

find_gdb() {
    ignored gdb && return 1
    gdb=$(command -v gdb) && "$gdb" --version >/dev/null 2>&1
}

# --- system packages ---

# What each package manager calls the things set-up needs.
packages() {
    case $1:$2 in
        apt-get:venv) printf 'python%s-venv' "$python_version" ;;
        apt-get:cc) printf 'gcc-multilib' ;;
        dnf:cc) printf 'gcc glibc-devel.i686 glibc-static.i686 libgcc.i686' ;;
        pacman:cc) printf 'gcc lib32-glibc lib32-gcc-libs' ;;
        apk:cc) printf 'zig' ;;
        pacman:venv) printf 'python' ;;
        *:venv) printf 'python3' ;;
        *:gdb) printf 'gdb' ;;
        *:browser) printf 'chromium' ;;
    esac
}

install_command() {
    case $1 in
        apt-get) printf 'apt-get install' ;;
        dnf) printf 'dnf install' ;;
        pacman) printf 'pacman -S' ;;
        apk) printf 'apk add' ;;
    esac
}

# How to become root without a question: nothing if we are root, sudo if it asks for no password.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

may_install() {
    [ -z "${INSPECTOR_SETUP_NO_SYSTEM:-}" ] || return 1
    for manager in apt-get dnf pacman apk; do
        command -v $manager >/dev/null && as_root true 2>/dev/null && return
    done
    return 1
}

# Install what one need takes, without questions. Failing is no error yet: something may stand in for it.
install_system() {
    may_install || return 1
    # shellcheck disable=SC2046  # several names
    set -- $(packages "$manager" "$1")
    say "installing $* with $manager"
    case $manager in
        apt-get)
            # An old package list may name files that are gone; one broken source need not matter.
            [ -n "${lists_updated:-}" ] || as_root apt-get update -qq || true
            lists_updated=yes
            as_root env DEBIAN_FRONTEND=noninteractive \
                apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"
            ;;
        dnf) as_root dnf install -q -y "$@" ;;
        pacman) as_root pacman -Sy --noconfirm --needed "$@" ;;
        apk) as_root apk add -q "$@" ;;
    esac </dev/null >"$scratch/log" 2>&1 || {
        say "that failed: $(tail -n 1 "$scratch/log")"
        return 1
    }
}

# --- Python packages in place of system packages ---

# Install one package of the lock; an entry ends with the first line that no backslash continues.
install_stand_in() {
    sed -n "/^$1==/,/[^\\]\$/p" requirements-toolchain.lock >"$scratch/$1.lock"
    pip_install --require-hashes -r "$scratch/$1.lock"
}

stand_in_cc() {
    if ! "$python" -c 'import ziglang' 2>/dev/null; then
        say 'no gcc -m32 here: zig stands in, a Python package of 100 MB that takes a minute at first'
        install_stand_in ziglang || return 1
    fi
    try_cc zig "$python" -m ziglang cc -target x86-linux-musl
}

stand_in_gdb() {
    gdb=$venv/bin/gdb
    if [ ! -x $gdb ]; then
        say 'no gdb here: gdb-for-pwndbg stands in, a Python package'
        install_stand_in gdb-for-pwndbg || return 1
    fi
    "$gdb" --version >/dev/null 2>&1 || { fetch_libpython && "$gdb" --version >/dev/null 2>&1; }
}

# That gdb needs libpython as a shared library, which Debian and Ubuntu package apart from python3. Unpacking
# the package into .venv needs no privileges.
fetch_libpython() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    mkdir -p "$scratch/apt/lists/partial" "$scratch/apt/archives/partial"
    (
        root=$PWD
        cd "$scratch"
        set -- -qq -o "Dir::State::Lists=$scratch/apt/lists" -o "Dir::Cache=$scratch/apt"
        apt-get "$@" update && apt-get "$@" download "libpython$python_version" &&
            dpkg-deb -x "libpython$python_version"_*.deb unpacked &&
            cp -P unpacked/usr/lib/*/libpython"$python_version".so* "$root/$venv/lib/"
    ) >"$scratch/log" 2>&1
}

# --- the browser of the tests ---

find_browser() {
    for candidate in chromium chromium-browser google-chrome; do
        browser=$(command -v $candidate) && "$browser" --version >/dev/null 2>&1 && return
    done
    return 1
}

set_up_browser() {
    if ! cmp -s requirements-browser.lock "$venv/requirements-browser.lock"; then
        say 'installing what drives a browser: Python packages of 50 MB'
        pip_install --require-hashes -r requirements-browser.lock || return 0
        cp requirements-browser.lock "$venv/requirements-browser.lock"
    fi
    find_browser || { install_system browser && find_browser; } ||
        say 'without chromium the tests of pages are skipped'
}

# --- the whole ---

# End with one message that says how to install whatever is missing.
give_up() {
    printf '\nset-up: %s\n' "$1"
    [ -n "$missing" ] || exit 1
    printf 'Missing from the system:'
    case $missing in *venv*) printf ' the venv module of Python;' ;; esac
    case $missing in *cc*) printf ' a compiler that links static i386 programs (gcc -m32);' ;; esac
    case $missing in *gdb*) printf ' gdb;' ;; esac
    printf '\nInstall it with the command for your distribution, then run make again:\n'
    for manager in apt-get dnf pacman apk; do
        printf '    sudo %s' "$(install_command $manager)"
        for need in $missing; do printf ' %s' "$(packages $manager "$need")"; done
        printf '\n'
    done
    exit 1
} >&2

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
missing=

if [ "${1:-}" = browser ]; then
    set_up_browser
    touch $venv/browser
    exit
fi

base_python=$(find_python) ||
    give_up "Python 3.11 or newer is needed, and ${PYTHON:-python3} is not; name one with PYTHON=/path/to/python3"
python_version=$("$base_python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

# ensurepip is the half of venv that Debian and Ubuntu put into a package of its own.
"$base_python" -c 'import ensurepip, venv' 2>/dev/null || install_system venv || missing=venv
find_cc || { install_system cc && find_cc; } || missing="$missing cc"
find_gdb || { install_system gdb && find_gdb; } || missing="$missing gdb"

case $missing in *venv*) give_up "$base_python has no venv module" ;; esac
make_venv || give_up "$base_python could not make $venv"
install_python_packages || give_up 'the Python packages could not be installed'

for need in $missing; do
    "stand_in_$need" || give_up "nothing could stand in for what is missing: $need"
done

{
    printf 'CC32 := %s\n' "$cc32"
    printf 'CC32_KIND := %s\n' "$cc32_kind"
    printf 'GDB := %s\n' "$gdb"
    printf 'SETUP_USES := %s\n' "$python ${cc32%% *} $gdb"
} >"$scratch/toolchain.mk"
cmp -s "$scratch/toolchain.mk" $venv/toolchain.mk || cp "$scratch/toolchain.mk" $venv/toolchain.mk
touch $venv/set-up
