#!/usr/bin/env bash
# Fill the corpus of foreign i386 programs that tests/live/test_foreign_programs.py predicts.
#
#     tests/live/fetch_corpus.sh            programs from Debian packages, and from many toolchains' builds
#     tests/live/fetch_corpus.sh packages   only the former: half a minute, no compiler
#
# The corpus is the directory $INSPECTOR_CORPUS (default $XDG_CACHE_HOME/inspector/corpus): programs/ and
# manifest.tsv with name, sha256, recipe and the packages used. A program already there by the same recipe is kept.
# Packages come through apt, into a state of its own: neither the host's package lists nor its architectures
# change, and nothing is installed. zig comes from PyPI unless $PYTHON (default python3) already has it.
# Needs apt, dpkg, and gcc with gcc-multilib; about 3 GB of disk while it works. What could not be had is listed at
# the end; the status is 1 only if there is nothing at all.
set -u

corpus=${INSPECTOR_CORPUS:-${XDG_CACHE_HOME:-$HOME/.cache}/inspector/corpus}
python=${PYTHON:-python3}
SRC=$(cd "$(dirname "$0")/corpus_sources" && pwd)
mkdir -p "$corpus/programs"
corpus=$(cd "$corpus" && pwd)
PROGRAMS=$corpus/programs
manifest=$corpus/manifest.tsv
touch "$manifest"
exec 9>"$corpus/lock"
flock -n 9 || { echo "fetch_corpus: another run is filling $corpus" >&2; exit 1; }
rm -rf "$corpus"/work.* # what a killed run left
WORK=$(mktemp -d "$corpus/work.XXXXXX")
ROOT=$WORK/tools # toolchain packages are unpacked into one tree
mkdir -p "$ROOT"
: >"$WORK/manifest" >"$WORK/missing"

finish() {
    if [ -f "$WORK/complete" ]; then
        mv "$WORK/manifest" "$manifest"
    else # keep what was there, and what this run added
        awk -F '\t' '!seen[$1]++' "$WORK/manifest" "$manifest" >"$WORK/merged" && mv "$WORK/merged" "$manifest"
    fi
    chmod -R u+w "$WORK" && rm -rf "$WORK"
}
trap finish EXIT
trap 'exit 130' INT TERM

# --- Packages ------------------------------------------------------------------------------------------------

# An apt that knows i386 and keeps everything it writes under $WORK.
apt_() {
    apt-get -qq -c="$WORK/apt.conf" "$@"
}

apt_ready() {
    [ -f "$WORK/apt.conf" ] && return
    mkdir -p "$WORK/apt/state/lists/partial" "$WORK/apt/cache/archives/partial" "$WORK/debs"
    : >"$WORK/apt/status"
    cat >"$WORK/apt.conf" <<CONF
#clear APT::Update;
#clear DPkg::Post-Invoke;
Dir::State "$WORK/apt/state";
Dir::State::status "$WORK/apt/status";
Dir::Cache "$WORK/apt/cache";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
APT::Architectures { "$(dpkg --print-architecture)"; "i386"; };
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
CONF
    # A repository that fails, or has no i386, leaves the others usable.
    apt_ update >"$WORK/apt.log" 2>&1 || sed -n 's/^E: /fetch_corpus: apt: /p' "$WORK/apt.log" >&2
}

# Unpack package $1 (`name` or `name:i386`) into directory $2; its full name goes to $WORK/debs/$1.
unpack() {
    local package=$1 into=$2 spot=$WORK/debs/$1.d
    [ -f "$WORK/debs/$package" ] || {
        apt_ready
        mkdir -p "$spot"
        (cd "$spot" && apt_ download "$package") >"$WORK/apt.log" 2>&1 || return
        basename "$spot"/*.deb .deb | sed 's/%3a/:/' >"$WORK/debs/$package"
    }
    [ -f "$spot/$(basename "$into")" ] && return
    mkdir -p "$into"
    dpkg -x "$spot"/*.deb "$into" 2>"$WORK/apt.log" && touch "$spot/$(basename "$into")"
}

# --- The manifest ----------------------------------------------------------------------------------------------

# Whether program $1 is there, made by recipe $2; if so its line is carried over.
have() {
    local line
    line=$(NAME=$1 RECIPE=$2 awk -F '\t' '$1 == ENVIRON["NAME"] && $3 == ENVIRON["RECIPE"]' "$manifest")
    [ "$line" ] &&
        [ "$(sha256sum <"$PROGRAMS/$1")" = "$(cut -f 2 <<<"$line")  -" ] 2>/dev/null &&
        printf '%s\n' "$line" >>"$WORK/manifest"
}

keep() { # FILE NAME RECIPE PACKAGES
    install -m 755 "$1" "$PROGRAMS/.new" && mv "$PROGRAMS/.new" "$PROGRAMS/$2" || return
    printf '%s\t%s\t%s\t%s\n' "$2" "$(sha256sum <"$PROGRAMS/$2" | cut -d ' ' -f 1)" "$3" "$4" >>"$WORK/manifest"
    printf 'got %s\n' "$2"
}

missing() { # NAME REASON
    printf '%s: %s\n' "$1" "$2" >>"$WORK/missing"
}

# A program straight out of an i386 package: NAME PACKAGE PATH
deb() {
    local name=$1 package=$2:i386 path=$3 file
    local recipe="package $package $path" into=$WORK/packages/$2
    have "$name" "$recipe" && return
    unpack "$package" "$into" || { missing "$name" "cannot get package $package"; return; }
    file=$(compgen -G "$into/$path" | head -1)
    [ -f "$file" ] || { missing "$name" "$package has no $path"; return; }
    keep "$file" "$name" "$recipe" "$(cat "$WORK/debs/$package")"
}

# A program made by a command that writes $OUT: NAME "PACKAGES" COMMAND
build() {
    local name=$1 packages=$2 recipe=$3 package used=
    have "$name" "$recipe" && return
    for package in $packages; do
        unpack "$package" "$ROOT" || { missing "$name" "cannot get package $package"; return; }
        used+="$(cat "$WORK/debs/$package") "
    done
    OUT=$WORK/out
    rm -f "$OUT"
    (cd "$WORK" && set -eu && eval "$recipe") >"$WORK/log" 2>&1 && [ -s "$OUT" ] || {
        missing "$name" "$(grep -m 1 -i -E 'error|unrecogni[sz]ed|not found|cannot' "$WORK/log" || tail -1 "$WORK/log")"
        return
    }
    keep "$OUT" "$name" "$recipe" "${used:-(host)}"
}

# --- Debian's programs -----------------------------------------------------------------------------------------

# Static, with glibc
deb busybox busybox-static bin/busybox
deb bash-static bash-static bin/bash-static
deb zsh-static zsh-static bin/zsh-static
deb e2fsck-static e2fsck-static sbin/e2fsck.static
deb sash sash bin/sash
deb ldconfig libc-bin sbin/ldconfig
deb tini-static tini usr/bin/tini-static
deb catatonit catatonit usr/bin/catatonit
deb gpgv-static gpgv-static usr/bin/gpgv-static
deb cdebootstrap-static cdebootstrap-static usr/bin/cdebootstrap-static
deb dar-static dar-static usr/bin/dar_static
deb tripwire tripwire usr/sbin/tripwire
deb capsh-static libcap-dev usr/lib/i386-linux-gnu/libcap2/tests/tcapsh-static
deb strings-static chkrootkit usr/lib/chkrootkit/strings-static
# Static, with dietlibc, klibc or musl
deb fgetty fgetty sbin/fgetty
deb ngetty ngetty sbin/ngetty
deb integrit integrit usr/sbin/integrit
deb initramfs-init tiny-initramfs-core usr/lib/i386-linux-gnu/tiny-initramfs/init-static
deb elftrunc-diet dietlibc-dev usr/lib/i386-linux-gnu/diet/bin/elftrunc
deb mksh-diet mksh usr/lib/diet/bin/mksh
deb mksh-klibc mksh usr/lib/klibc/bin/mksh
deb mksh-musl mksh usr/lib/i386-linux-musl/bin/mksh
deb gzip-klibc klibc-utils usr/lib/klibc/bin/gzip
# No C library, or an unusual place
deb e3 e3 usr/bin/e3
deb valgrind-memcheck valgrind usr/libexec/valgrind/memcheck-x86-linux
deb valgrind-none valgrind usr/libexec/valgrind/none-x86-linux
deb rr-exec-stub rr usr/lib/rr/rr_exec_stub
deb rr-page rr usr/lib/rr/librrpage.so
deb wine wine32 usr/lib/wine/wine
# Go, Free Pascal, Rust, Haskell, Lisp, OCaml
deb golang-petname golang-petname usr/bin/golang-petname
deb gosu gosu usr/sbin/gosu
deb pup pup usr/bin/pup
deb go-filter-senderscore opensmtpd-filter-senderscore usr/libexec/opensmtpd/filter-senderscore
deb fpc-compiler fp-compiler-3.2.2 usr/lib/i386-linux-gnu/fpc/3.2.2/ppc386
deb ripgrep ripgrep usr/bin/rg
deb shellcheck shellcheck usr/bin/shellcheck
deb sbcl sbcl usr/bin/sbcl
deb unison unison-2.52 'usr/bin/unison-2.52*'
deb newlisp newlisp usr/bin/newlisp
# Dynamic, position-independent and not
deb coreutils-ls coreutils bin/ls
deb bash bash bin/bash
deb hello hello usr/bin/hello
deb perl perl-base usr/bin/perl
deb python python3.11-minimal usr/bin/python3.11
deb cpp cpp-12 usr/lib/gcc/i686-linux-gnu/12/cc1
deb fasm fasm usr/bin/fasm
deb proot proot usr/bin/proot
deb lxc-start lxc usr/bin/lxc-start
deb btrfs btrfs-progs bin/btrfs
deb emacs emacs-nox usr/bin/emacs-nox
# Libraries run as programs
deb ld-linux libc6 lib/i386-linux-gnu/ld-linux.so.2
deb libc.so libc6 lib/i386-linux-gnu/libc.so.6
deb libm.so libc6 lib/i386-linux-gnu/libm.so.6
deb musl-libc.so musl lib/i386-linux-musl/libc.so
deb klibc.so libklibc 'lib/klibc-*.so'
deb valgrind-preload valgrind usr/libexec/valgrind/vgpreload_core-x86-linux.so

# klibc's programs want their interpreter at a path of the host's: a relative one makes them find the corpus's.
build cat-klibc klibc-utils:i386 \
    'python3 -c "import re, sys; sys.stdout.buffer.write(re.sub(rb\"/lib/klibc-[^\\0]*\", lambda old: b\"klibc.so\".ljust(len(old[0]), b\"\\0\"), sys.stdin.buffer.read(), count=1))" <$ROOT/usr/lib/klibc/bin/cat >$OUT'

if [ "${1:-}" = packages ]; then
    [ ! -s "$WORK/missing" ] || { printf 'not got:\n' && sed 's/^/  /' "$WORK/missing"; }
    exit 0
fi

# --- The host's gcc, other linkers, other link styles ------------------------------------------------------------

c='gcc -m32 -O1 $SRC/hello.c -o $OUT'
bare='gcc -m32 -O1 -fno-asynchronous-unwind-tables -fno-stack-protector -nostdlib $SRC/nolibc.c -o $OUT'
build gcc-align-64k '' "$c -static -Wl,-z,max-page-size=0x10000"
build gcc-pie-align-2m '' "$c -static-pie -Wl,-z,max-page-size=0x200000"
build gcc-pie-align-64k '' "$c -static-pie -Wl,-z,max-page-size=0x10000"
build gcc-dynamic-pie-align-2m '' "$c -pie -Wl,-z,max-page-size=0x200000"
build gcc-dynamic-align-2m '' "$c -no-pie -Wl,-z,max-page-size=0x200000"
build gcc-text-low '' "$c -static -Wl,-Ttext-segment=0x10000"
build gcc-text-high '' "$c -static -Wl,-Ttext-segment=0xb0000000"
build gcc-text-at-dyn-base '' "$c -static -Wl,-Ttext-segment=0x56555000"
build gcc-data-far '' "$c -static -Wl,-Tdata=0x60000000"
build gcc-bss-far '' "$bare -static -Wl,-Tbss=0x30000000"
build gcc-noseparate-pie '' "$c -static-pie -Wl,-z,noseparate-code"
build gcc-noseparate-norelro '' "$c -static -Wl,-z,noseparate-code,-z,norelro"
build gcc-relro-now-pie '' "$c -pie -Wl,-z,relro,-z,now"
build gcc-execstack-pie '' "$c -static-pie -Wl,-z,execstack"
build gcc-execstack-dynamic '' "$c -no-pie -Wl,-z,execstack"
build gcc-relr '' "$c -pie -Wl,-z,pack-relative-relocs"
build gcc-omagic '' "$bare -static -Wl,-N"
build gcc-nmagic '' "$bare -static -Wl,-n"
build gcc-bare-pie '' "$bare -static-pie"
build gcc-bare-static '' "$bare -static -Wl,--build-id=none -s"
build gcc-tls-only '' 'gcc -m32 -O1 -nostdlib -static $SRC/tls_only.c -o $OUT'
build gcc-stripped-headers dietlibc-dev:i386 "$c -static -s && \$ROOT/usr/lib/i386-linux-gnu/diet/bin/elftrunc \$OUT \$OUT.cut && mv \$OUT.cut \$OUT"
build gcc-interp-busybox '' "$c -no-pie -Wl,--dynamic-linker=\$PROGRAMS/busybox"
build gcc-interp-pie '' "$c -no-pie -Wl,--dynamic-linker=\$PROGRAMS/gcc-bare-pie"
build gcc-pie-interp-relative '' "$c -pie -Wl,--dynamic-linker=gcc-bare-pie"
build gcc-interp-itself '' "$c -static && cp \$OUT static && $c -pie -Wl,--dynamic-linker=\$PROGRAMS/gcc-interp-itself"
build gcc-shared-object '' "$bare -shared -fpic"
build gcc-relocatable '' 'gcc -m32 -c $SRC/hello.c -o $OUT'
build gcc-64-bit-interp '' "$c -no-pie -Wl,--dynamic-linker=/bin/sh"
build gas-no-gnu-stack '' 'as --32 $SRC/start.s -o start.o && ld -m elf_i386 start.o -o $OUT'
build gas-no-gnu-stack-pie '' 'as --32 $SRC/start.s -o start.o && ld -m elf_i386 -pie --no-dynamic-linker start.o -o $OUT'
build gold '' "$c -static -fuse-ld=gold"
build gold-pie '' "$c -pie -fuse-ld=gold"
build gold-rosegment '' "$c -static -fuse-ld=gold -Wl,--rosegment"
build gold-bare-align '' "$bare -static -fuse-ld=gold -Wl,-z,max-page-size=0x4000,-z,common-page-size=0x4000"

lld='lld-14 libllvm14 libxml2 libicu72 libbsd0 libedit2 libz3-4 libtinfo6 zlib1g libmd0'
ld_lld="gcc -m32 -O1 -fno-asynchronous-unwind-tables -fno-stack-protector -c \$SRC/nolibc.c -fpic -o nolibc.o && LD_LIBRARY_PATH=\$ROOT/usr/lib/x86_64-linux-gnu:\$ROOT/usr/lib/llvm-14/lib \$ROOT/usr/lib/llvm-14/bin/ld.lld -m elf_i386 nolibc.o -o \$OUT"
build lld "$lld" "$ld_lld"
build lld-separate-code "$lld" "$ld_lld -z separate-code"
build lld-separate-loadable "$lld" "$ld_lld -z separate-loadable-segments"
build lld-no-rosegment "$lld" "$ld_lld --no-rosegment"
build lld-pie-relr "$lld" "$ld_lld -pie --pack-dyn-relocs=relr --no-dynamic-linker"
build lld-image-base "$lld" "$ld_lld --image-base=0x20000000 -z max-page-size=0x10000"
build lld-execute-only-omagic "$lld" "$ld_lld --omagic"
build lld-nognustack "$lld" "$ld_lld -z nognustack"
for style in '-static' '-static-pie' '-pie'; do
    build "mold$style" mold "$c $style -B\$ROOT/usr/libexec/mold"
done
build mold-pack-relocs mold "$c -pie -B\$ROOT/usr/libexec/mold -Wl,--pack-dyn-relocs=relr,-z,separate-code"

# --- Other compilers, libraries and assemblers -------------------------------------------------------------------

build nasm nasm 'PATH=$ROOT/usr/bin:$PATH && nasm -f elf32 $SRC/start.nasm -o start.o && ld -m elf_i386 start.o -o $OUT'
build nasm-flat nasm '$ROOT/usr/bin/nasm -f bin $SRC/flat.nasm -o $OUT'
build yasm yasm '$ROOT/usr/bin/yasm -f elf32 $SRC/start.nasm -o start.o && ld -m elf_i386 -z noseparate-code start.o -o $OUT'
build fasm-direct fasm:i386 '$ROOT/usr/bin/fasm $SRC/start.fasm $OUT'
diet='L=$ROOT/usr/lib/i386-linux-gnu/diet/lib-i386 && gcc -m32 -O1 -nostdinc -isystem $ROOT/usr/include/diet -fno-stack-protector'
build diet dietlibc-dev:i386 "$diet -DNO_TLS -static -nostdlib \$L/start.o \$SRC/hello.c \$L/libc.a \$(gcc -m32 -print-libgcc-file-name) -o \$OUT"
musl='M=$ROOT/usr/lib/i386-linux-musl && gcc -m32 -O1 -nostdinc -isystem $ROOT/usr/include/i386-linux-musl -fno-stack-protector -nostdlib'
build musl musl-dev:i386 "$musl -static \$M/crt1.o \$M/crti.o \$SRC/hello.c \$M/libc.a \$(gcc -m32 -print-libgcc-file-name) \$M/crtn.o -o \$OUT"
build musl-pie musl-dev:i386 "$musl -static-pie -fpie \$M/rcrt1.o \$M/crti.o \$SRC/hello.c \$M/libc.a \$(gcc -m32 -print-libgcc-file-name) \$M/crtn.o -o \$OUT"
build musl-dynamic musl-dev:i386 "$musl -no-pie \$M/crt1.o \$M/crti.o \$SRC/hello.c \$PROGRAMS/musl-libc.so \$M/crtn.o -Wl,--dynamic-linker=\$PROGRAMS/musl-libc.so -o \$OUT"
klibc='K=$ROOT/usr/lib/klibc && gcc -m32 -O1 -DNO_TLS -nostdinc -D__KLIBC__=2 -D__KLIBC_MINOR__=0 -D_BITSIZE=32 -isystem $K/include/arch/i386 -isystem $K/include/bits32 -isystem $K/include -isystem $(gcc -print-file-name=include) -idirafter /usr/include/$(gcc -print-multiarch) -idirafter /usr/include -fno-stack-protector -fno-pie -fcommon -mregparm=3 -D_REGPARM=3 -nostdlib'
build klibc-static libklibc-dev:i386 "$klibc -static \$K/lib/crt0.o \$SRC/hello.c \$K/lib/libc.a \$(gcc -m32 -print-libgcc-file-name) -o \$OUT"
tcc='$ROOT/usr/bin/tcc -B$ROOT/usr/lib/i386-linux-gnu/tcc -nostdlib $SRC/nolibc.c -o $OUT'
build tcc tcc:i386 "$tcc -static"
build tcc-dynamic tcc:i386 "$tcc"
build tcc-shared tcc:i386 "$tcc -shared"

fpc='fp-compiler-3.2.2:i386 fp-units-rtl-3.2.2:i386'
ppc='P=$ROOT/usr/lib/i386-linux-gnu/fpc/3.2.2 && cp $SRC/hello.pas . && $P/ppc386 -n -Fu$P/units/i386-linux/rtl -Fu$P/units/i386-linux/rtl-objpas -o$OUT'
build fpc "$fpc" "$ppc hello.pas"
build fpc-smart-stripped "$fpc" "$ppc -XX -Xs -O3 hello.pas"

go='export HOME=$WORK GOROOT=$ROOT/usr/lib/go-1.19 GOCACHE=$WORK/go-cache GOARCH=386 GOFLAGS=-p=2 GO111MODULE=off CGO_ENABLED=0 && rm -rf $GOROOT/src $GOROOT/test && ln -s $ROOT/usr/share/go-1.19/src $GOROOT/src'
golang='golang-1.19-go golang-1.19-src'
build go "$golang" "$go && \$GOROOT/bin/go build -o \$OUT \$SRC/hello.go"
build go-stripped-softfloat "$golang" "$go && GO386=softfloat \$GOROOT/bin/go build -ldflags '-s -w' -o \$OUT \$SRC/hello.go"
build go-pie "$golang" "$go && export CGO_ENABLED=1 CC='gcc -m32' && \$GOROOT/bin/go build -buildmode=pie -o \$OUT \$SRC/hello.go"
build go-text-high "$golang" "$go && \$GOROOT/bin/go build -ldflags '-T 0x50001000 -R 0x10000' -o \$OUT \$SRC/hello.go"

rust='rustc libstd-rust-1.63 libllvm14 libxml2 libicu72 libbsd0 libedit2 libz3-4 libtinfo6 zlib1g libmd0 libstd-rust-dev:i386'
rustc='echo "fn main() { println!(\"hello\"); }" >hello.rs && LD_LIBRARY_PATH=$ROOT/usr/lib/x86_64-linux-gnu:$ROOT/usr/lib/llvm-14/lib $ROOT/usr/bin/rustc --sysroot $ROOT/usr --target i686-unknown-linux-gnu -C linker=gcc -C link-arg=-m32 hello.rs -o $OUT'
build rust "$rust" "$rustc"
build rust-static-pie "$rust" "$rustc -C target-feature=+crt-static"
build rust-static "$rust" "$rustc -C target-feature=+crt-static -C relocation-model=static"

# zig from PyPI: clang, lld and musl in one package.
zig() {
    export ZIG_GLOBAL_CACHE_DIR=${ZIG_GLOBAL_CACHE_DIR:-$WORK/zig-cache} ZIG_LOCAL_CACHE_DIR=$WORK/zig-local
    "$python" -c 'import ziglang' 2>/dev/null ||
        [ -d "$WORK/zig" ] || "$python" -m pip install -q --no-compile --target "$WORK/zig" ziglang || return
    PYTHONPATH=$WORK/zig "$python" -m ziglang "$@"
}
build zig-cc '' 'zig cc -target x86-linux-musl -static -O1 $SRC/hello.c -o $OUT'
build zig-cc-pie '' 'zig cc -target x86-linux-musl -static -pie -fPIE -O1 $SRC/hello.c -o $OUT'
build zig-cxx '' 'zig c++ -target x86-linux-musl -static -O1 $SRC/hello.cc -o $OUT'
build zig-cc-glibc '' 'zig cc -target x86-linux-gnu -O1 $SRC/hello.c -o $OUT'
build zig '' 'zig build-exe -target x86-linux -femit-bin=$OUT $SRC/hello.zig'
build zig-small '' 'zig build-exe -target x86-linux -O ReleaseSmall -fstrip -femit-bin=$OUT $SRC/hello.zig'

# A packer, where the distribution has it.
for program in sash go; do
    build "upx-$program" upx-ucl "\$ROOT/usr/bin/upx -q -o \$OUT \$PROGRAMS/$program"
done

touch "$WORK/complete"
cut -f 1 "$WORK/manifest" | sort >"$WORK/names"
(cd "$PROGRAMS" && ls -A | sort | comm -23 - "$WORK/names" | xargs -r -d '\n' rm -f)
printf '%s programs in %s\n' "$(wc -l <"$WORK/manifest")" "$corpus"
[ ! -s "$WORK/missing" ] || { printf 'not got:\n' && sed 's/^/  /' "$WORK/missing"; }
[ -s "$WORK/manifest" ] || [ -s "$manifest" ] || exit 1
