// SPDX-License-Identifier: MIT
/*
 * Waiting for children: options, and the status word. The low 7 bits are the signal that killed
 * (0: exited, 0x7f: stopped, the whole word 0xffff: continued), bit 7 says core dumped, bits
 * 8..15 are the exit code or the stopping signal.
 */
#pragma once

#define WNOHANG     1
#define WUNTRACED   2
#define WSTOPPED    WUNTRACED
#define WEXITED     4
#define WCONTINUED  8
#define WNOWAIT     0x01000000
#define __WNOTHREAD 0x20000000 /* only children of this thread */
#define __WALL      0x40000000 /* whatever signal they end with */
#define __WCLONE    0x80000000 /* only those that end with another one than SIGCHLD */

/* waitid */
#define P_ALL   0
#define P_PID   1
#define P_PGID  2
#define P_PIDFD 3

#define WEXITSTATUS(status)  (((status) >> 8) & 0xff)
#define WTERMSIG(status)     ((status)&0x7f)
#define WSTOPSIG(status)     WEXITSTATUS(status)
#define WIFEXITED(status)    (WTERMSIG(status) == 0)
#define WIFSTOPPED(status)   (((status)&0xff) == 0x7f)
#define WIFCONTINUED(status) ((status) == 0xffff)
#define WIFSIGNALED(status)  (WTERMSIG(status) != 0 && WTERMSIG(status) != 0x7f)
#define WCOREDUMP(status)    ((status)&0x80)
