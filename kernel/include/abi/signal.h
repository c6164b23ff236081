// SPDX-License-Identifier: MIT
/*
 * Signals: numbers, dispositions, siginfo, and the frame that a handler finds on its stack.
 *
 * The frame, from the stack pointer up: struct siginfo (128 bytes), struct ucontext (960). The
 * handler gets the number in a0 and their addresses in a1 and a2, and returns to code that is
 * exactly `li a7, 139; ecall` (rt_sigreturn), mapped by the kernel: riscv64 has no SA_RESTORER.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SIGHUP    1
#define SIGINT    2
#define SIGQUIT   3
#define SIGILL    4
#define SIGTRAP   5
#define SIGABRT   6
#define SIGIOT    6
#define SIGBUS    7
#define SIGFPE    8
#define SIGKILL   9
#define SIGUSR1   10
#define SIGSEGV   11
#define SIGUSR2   12
#define SIGPIPE   13
#define SIGALRM   14
#define SIGTERM   15
#define SIGSTKFLT 16
#define SIGCHLD   17
#define SIGCONT   18
#define SIGSTOP   19
#define SIGTSTP   20
#define SIGTTIN   21
#define SIGTTOU   22
#define SIGURG    23
#define SIGXCPU   24
#define SIGXFSZ   25
#define SIGVTALRM 26
#define SIGPROF   27
#define SIGWINCH  28
#define SIGIO     29
#define SIGPOLL   SIGIO
#define SIGPWR    30
#define SIGSYS    31
#define SIGRTMIN  32
#define SIGRTMAX  64
#define NSIG      65

/* A set of signals: bit N - 1 is signal N. Calls that take one also take its size, 8. */
typedef struct sigset {
	uint64_t bits;
} sigset_t;

/* rt_sigprocmask */
#define SIG_BLOCK   0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

union sigval {
	int sival_int;
	void *sival_ptr;
};

/* Which of the fields behind si_code are valid depends on si_signo and si_code. */
typedef struct siginfo {
	int si_signo;
	int si_errno;
	int si_code;
	int __si_pad;
	union {
		struct { /* kill, SIGCHLD, rt_sigqueueinfo */
			int si_pid;
			uint32_t si_uid;
			union {
				union sigval si_value;
				int si_int;
				void *si_ptr;
				struct { /* SIGCHLD */
					int si_status;
					int64_t si_utime;
					int64_t si_stime;
				};
			};
		};
		struct { /* timer_create */
			int si_timerid;
			int si_overrun;
		};
		struct { /* SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP */
			void *si_addr;
			int16_t si_addr_lsb;
		};
		struct { /* SIGIO */
			int64_t si_band;
			int si_fd;
		};
		struct { /* SIGSYS */
			void *si_call_addr;
			int si_syscall;
			uint32_t si_arch;
		};
		uint64_t __si_fields[14];
	};
} siginfo_t;

/* si_code: sent by a process (<= 0) or by the kernel (> 0) */
#define SI_USER     0
#define SI_KERNEL   0x80
#define SI_QUEUE    (-1)
#define SI_TIMER    (-2)
#define SI_MESGQ    (-3)
#define SI_ASYNCIO  (-4)
#define SI_SIGIO    (-5)
#define SI_TKILL    (-6)
#define SI_DETHREAD (-7)
#define SI_ASYNCNL  (-60)

#define ILL_ILLOPC 1
#define ILL_ILLOPN 2
#define ILL_ILLADR 3
#define ILL_ILLTRP 4
#define ILL_PRVOPC 5
#define ILL_PRVREG 6
#define ILL_COPROC 7
#define ILL_BADSTK 8

#define FPE_INTDIV 1
#define FPE_INTOVF 2
#define FPE_FLTDIV 3
#define FPE_FLTOVF 4
#define FPE_FLTUND 5
#define FPE_FLTRES 6
#define FPE_FLTINV 7
#define FPE_FLTSUB 8

#define SEGV_MAPERR 1 /* nothing is mapped there */
#define SEGV_ACCERR 2 /* mapped, but not for this access */

#define BUS_ADRALN    1 /* misaligned */
#define BUS_ADRERR    2 /* past the end of the file */
#define BUS_OBJERR    3 /* the device or file system failed */
#define BUS_MCEERR_AR 4
#define BUS_MCEERR_AO 5

#define TRAP_BRKPT  1
#define TRAP_TRACE  2
#define TRAP_BRANCH 3
#define TRAP_HWBKPT 4

#define CLD_EXITED    1
#define CLD_KILLED    2
#define CLD_DUMPED    3
#define CLD_TRAPPED   4
#define CLD_STOPPED   5
#define CLD_CONTINUED 6

#define POLL_IN  1
#define POLL_OUT 2
#define POLL_MSG 3
#define POLL_ERR 4
#define POLL_PRI 5
#define POLL_HUP 6

#define SIG_DFL ((void (*)(int))0)
#define SIG_IGN ((void (*)(int))1)
#define SIG_ERR ((void (*)(int)) - 1)

/* As rt_sigaction takes it. */
struct sigaction {
	union {
		void (*sa_handler)(int);
		void (*sa_sigaction)(int, siginfo_t *, void *);
	};
	uint64_t sa_flags;
	sigset_t sa_mask;
};

#define SA_NOCLDSTOP      0x00000001
#define SA_NOCLDWAIT      0x00000002
#define SA_SIGINFO        0x00000004
#define SA_UNSUPPORTED    0x00000400
#define SA_EXPOSE_TAGBITS 0x00000800
#define SA_ONSTACK        0x08000000
#define SA_RESTART        0x10000000
#define SA_NODEFER        0x40000000
#define SA_RESETHAND      0x80000000U

typedef struct sigaltstack {
	void *ss_sp;
	int ss_flags;
	size_t ss_size;
} stack_t;

#define SS_ONSTACK    1
#define SS_DISABLE    2
#define SS_AUTODISARM 0x80000000U
#define MINSIGSTKSZ   2048
#define SIGSTKSZ      8192

/* pc, then x1..x31 in order */
struct user_regs_struct {
	uint64_t pc;
	uint64_t x[31];
};

#define ABI_REG_RA 0 /* indices into user_regs_struct.x */
#define ABI_REG_SP 1
#define ABI_REG_TP 3
#define ABI_REG_A0 9

struct __riscv_d_ext_state {
	uint64_t f[32];
	uint32_t fcsr;
};

/*
 * The room for a quad-precision state is always there and fixes the size; D uses its start. What
 * follows the registers in D's padding (`reserved`) must be zero: later kernels put headers of
 * further extensions there.
 */
union __riscv_fp_state {
	struct __riscv_d_ext_state d;
	struct {
		uint64_t f[64];
		uint32_t fcsr;
		uint32_t reserved[3];
	} q __attribute__((aligned(16)));
};

typedef struct sigcontext {
	union {
		struct user_regs_struct sc_regs;
		uint64_t __gregs[32]; /* pc in the place of x0 */
	};
	union __riscv_fp_state sc_fpregs;
} mcontext_t;

typedef struct ucontext {
	uint64_t uc_flags;
	struct ucontext *uc_link;
	stack_t uc_stack;
	sigset_t uc_sigmask;
	uint8_t __uc_unused[1024 / 8 - sizeof(sigset_t)];
	mcontext_t uc_mcontext __attribute__((aligned(16)));
} ucontext_t;

struct rt_sigframe {
	siginfo_t info;
	ucontext_t uc;
};
