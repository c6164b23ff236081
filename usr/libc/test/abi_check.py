#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Compares kernel/include/abi with the cross toolchain's Linux headers.

Every object-like macro and every struct that abi/*.h defines is compiled twice, once with our
headers and once with the toolchain's: values, struct sizes, field offsets and field sizes must be
equal. Nothing runs: the compiler writes the numbers into assembly text, which is read back. What
has no counterpart there must be listed in OURS_ALONE, so that a name can not dodge the check by a
spelling mistake.

    abi_check.py [CC]        (riscv64-linux-gnu-gcc)

Output is TAP, one test a header.
"""
import pathlib
import re
import subprocess
import sys

ABI = pathlib.Path(__file__).resolve().parents[3] / "kernel/include/abi"

# Where the toolchain keeps what we keep in abi/NAME.h, and how its names differ.
THEIRS = {
    "auxv": ["linux/auxvec.h", "asm/auxvec.h", "asm/hwcap.h"],
    "close_range": ["linux/close_range.h"],
    "dirent": ["dirent.h"],
    "elf": ["linux/elf.h"],
    "errno": ["errno.h"],
    "eventfd": ["sys/eventfd.h"],
    "fcntl": ["fcntl.h", "linux/falloc.h", "sys/file.h", "unistd.h", "stdio.h", "sys/random.h",
              "sys/mman.h"],
    "futex": ["linux/futex.h"],
    "limits": ["linux/limits.h"],
    "mman": ["linux/mman.h", "sys/mman.h"],
    "personality": ["sys/personality.h"],
    "poll": ["poll.h"],
    "prctl": ["linux/prctl.h"],
    "reboot": ["linux/reboot.h"],
    "resource": ["sys/resource.h"],
    "sched": ["linux/sched.h", "linux/sched/types.h"],
    "signal": ["signal.h", "ucontext.h"],
    "stat": ["sys/stat.h", "sys/sysmacros.h"],
    "statfs": ["asm/statfs.h", "sys/mount.h", "linux/magic.h"],
    "syscall": ["sys/syscall.h"],
    "sysinfo": ["linux/sysinfo.h"],
    "termios": ["asm/termbits.h", "asm/ioctls.h", "asm/termios.h", "linux/fs.h"],
    "time": ["linux/time.h", "linux/time_types.h"],
    "uio": ["sys/uio.h", "limits.h"],
    "utsname": ["linux/utsname.h"],
    "wait": ["sys/wait.h"],
}
TYPE_THERE = {
    "struct linux_dirent64": "struct dirent64",
    "struct elf64_hdr": "Elf64_Ehdr",
    "struct elf64_phdr": "Elf64_Phdr",
    "struct elf64_shdr": "Elf64_Shdr",
    "struct elf64_sym": "Elf64_Sym",
    "struct itimerval": "struct __kernel_old_itimerval",
    "struct itimerspec": "struct __kernel_itimerspec",
    "struct timespec": "struct __kernel_timespec",
    "struct timeval": "struct __kernel_old_timeval",
    "struct utsname": "struct new_utsname",
    "struct siginfo": "siginfo_t",
    "struct sigaltstack": "stack_t",
    "struct ucontext": "ucontext_t",
    "struct sigcontext": "mcontext_t",
    "struct rlimit": "struct rlimit64",
}
FIELD_THERE = {
    "sc_regs": "__gregs", "sc_fpregs": "__fpregs", "fcsr": "__fcsr",
    "timerid": "si_tid",
}
# Structs whose shape here follows the kernel and there the C library: checked field by field in
# EXTRA instead, or private to us.
SKIP_TYPES = {"struct sigset", "struct sigaction", "struct user_regs_struct", "struct rt_sigframe",
              "struct __riscv_d_ext_state", "struct ucontext", "struct tms", "struct sched_param",
              "struct timezone"}
EXTRA = {
    "signal": [
        "offsetof(ucontext_t, uc_link)", "offsetof(ucontext_t, uc_stack)",
        "offsetof(ucontext_t, uc_sigmask)", "offsetof(ucontext_t, uc_mcontext)",
        "offsetof(mcontext_t, __gregs)", "sizeof(ucontext_t)", "sizeof(mcontext_t)", "sizeof(siginfo_t)",
    ] + [f"offsetof(siginfo_t, {f})" for f in (
        "si_signo si_errno si_code si_pid si_uid si_value si_status si_utime si_stime si_overrun "
        "si_addr si_addr_lsb si_band si_fd si_call_addr si_syscall si_arch").split()],
    "stat": [f"makedev({a}, {b})" for a, b in ((1, 3), (254, 16), (8, 0x12345), (0xfff, 0xfffff))],
    "wait": [f"{m}({s})" for m in ("WIFEXITED", "WEXITSTATUS", "WIFSTOPPED", "WSTOPSIG",
                                   "WTERMSIG", "WIFCONTINUED", "WIFSIGNALED")
             for s in (0, 0x100, 0xff00, 9, 0x8b, 0x137f, 0xffff)],
}
HEADERS_OURS_ALONE = {"strace"}
OURS_ALONE = {
    "ABI_UTSNAME_LEN", "ABI_REG_RA", "ABI_REG_SP", "ABI_REG_TP", "ABI_REG_A0",
    "SA_UNSUPPORTED", "SA_EXPOSE_TAGBITS",  # not in this C library's <signal.h>
    "MINSIGSTKSZ", "SIGSTKSZ",              # run-time values there
    "SIGRTMIN", "SIGRTMAX",                 # the C library keeps two for itself
    "SIG_DFL", "SIG_IGN", "SIG_ERR",        # pointers
    "ELFMAG",                               # a string
    "ST_VALID",                             # only inside of Linux
    "SCHED_OTHER", "SS_AUTODISARM", "UTIME_NOW", "UTIME_OMIT",
    "O_LARGEFILE",                          # the C library hides it where off_t has 64 bits
    "EF_RISCV_RVC", "EF_RISCV_RVE", "EF_RISCV_FLOAT_ABI", "EF_RISCV_FLOAT_ABI_SOFT",
    "EF_RISCV_FLOAT_ABI_SINGLE", "EF_RISCV_FLOAT_ABI_DOUBLE", "EF_RISCV_FLOAT_ABI_QUAD",
}


def compile_values(cc, flags, text):
    """{label: value} of every MARK(label, constant) in the C text; None if it does not compile."""
    head = ("#define MARK(n, e) __asm__(\"\\n@@\" #n \" %0\" : : \"i\"((long)(e)));\n"
            "#include <stddef.h>\n")
    run = subprocess.run([cc, *flags, "-O1", "-S", "-x", "c", "-", "-o", "-"], input=head + text,
                         text=True, capture_output=True)
    if run.returncode:
        return None, run.stderr
    return {m[1]: int(m[2]) for m in re.finditer(r"@@(\S+) (-?\d+)", run.stdout)}, ""


def structs(text):
    """(name, [field]) of each plain top-level struct of a header; fields of nested ones are out."""
    for m in re.finditer(r"^(?:typedef )?struct (\w+) \{\n(.*?)^\}", text, re.M | re.S):
        fields = re.findall(r"^\t(?!\t|struct \{|union \{|\})[^(\n;]*?\b(\w+)(?:\[[^\]]*\])*;", m[2],
                            re.M)
        yield m[1], fields


def probes(name):
    text = (ABI / f"{name}.h").read_text()
    macros = re.findall(r"^#define (\w+)[ \t]", text, re.M)
    out = [(m, m, m) for m in macros if m not in OURS_ALONE]
    for struct, fields in structs(text):
        ours = f"struct {struct}"
        if ours in SKIP_TYPES:
            continue
        there = TYPE_THERE.get(ours, ours)
        if "[];" not in text or struct != "linux_dirent64":  # a flexible tail has no size to compare
            out.append((f"sizeof:{struct}", f"sizeof({ours})", f"sizeof({there})"))
        for f in fields:
            if f.startswith("__") or f.endswith("spare") or struct == "siginfo":
                continue
            g = FIELD_THERE.get(f, f)
            out.append((f"{struct}.{f}", f"offsetof({ours}, {f}) * 4096 + "
                        f"sizeof((({ours} *)0)->{f})",
                        f"offsetof({there}, {g}) * 4096 + sizeof((({there} *)0)->{g})"
                        if f != "d_name" else f"offsetof({there}, {g}) * 4096"))
    for e in EXTRA.get(name, []):
        mine = e.replace("makedev", "ABI_MAKEDEV")
        out.append((re.sub(r"\s", "", e), mine, e))
    return [(label, a.replace("4096 + sizeof(((struct linux_dirent64 *)0)->d_name)", "4096"), b)
            for label, a, b in out]


def check(cc, name):
    """The list of differences of one header."""
    include = subprocess.run([cc, "-print-file-name=include"], text=True,
                             capture_output=True).stdout.strip()
    mine = ["-ffreestanding", "-nostdinc", "-isystem", include, f"-I{ABI.parent}"]
    todo = probes(name)

    def source(headers, column):
        lines = ["#define _GNU_SOURCE\n"] + [f"#include <{h}>\n" for h in headers]
        lines.append("void probe(void) {\n")
        lines += [f"MARK({p[0].replace(',', ':')}, {p[column]})\n" for p in todo]
        return "".join(lines) + "}\n"

    # Labels are stringized unexpanded, values expanded: only names that are macros need the care
    # that MARK's # gives them.
    ours, error = compile_values(cc, mine, source([f"abi/{name}.h"], 1))
    if ours is None:
        return [f"our header does not compile: {error}"]
    theirs, error = compile_values(cc, ["-w"], source(THEIRS[name], 2))
    if theirs is None:
        return [line for line in error.splitlines() if "error" in line]
    if len(ours) != len(todo) or len(theirs) != len(todo):
        return [f"{len(todo)} probes, {len(ours)} and {len(theirs)} answers"]
    return [f"{k}: ours {ours[k]:#x}, theirs {theirs[k]:#x}" for k in ours if ours[k] != theirs[k]]


def main():
    cc = sys.argv[1] if len(sys.argv) > 1 else "riscv64-linux-gnu-gcc"
    names = sorted({p.stem for p in ABI.glob("*.h")} - HEADERS_OURS_ALONE)
    print(f"1..{len(names)}")
    failed = 0
    for i, name in enumerate(names, 1):
        bad = check(cc, name) if name in THEIRS else ["no counterpart named in THEIRS"]
        failed += bool(bad)
        print(f"{'not ok' if bad else 'ok'} {i} - abi/{name}.h ({len(probes(name))} values)")
        for line in bad:
            print(f"# {line}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
