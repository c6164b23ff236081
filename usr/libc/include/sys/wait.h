// SPDX-License-Identifier: MIT
/*
 * Waiting for children: the pid, 0 (WNOHANG and none is ready), or -1 and errno.
 */
#pragma once

#include <sys/types.h>
#include <abi/wait.h>
#include <abi/resource.h>
#include <abi/signal.h>

typedef int idtype_t;

pid_t wait(int *status);
pid_t waitpid(pid_t pid, int *status, int options);
pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage);
int waitid(idtype_t type, id_t id, siginfo_t *info, int options);
