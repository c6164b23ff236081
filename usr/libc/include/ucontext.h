// SPDX-License-Identifier: MIT
/*
 * What a signal handler with SA_SIGINFO finds behind its third argument: the interrupted registers
 * are uc->uc_mcontext.__gregs[REG_...]. A change takes effect when the handler returns.
 */
#pragma once

#include <signal.h>

#define NGREG 32

#define REG_PC 0
#define REG_RA 1
#define REG_SP 2
#define REG_TP 4
#define REG_S0 8
#define REG_S1 9
#define REG_A0 10
#define REG_S2 18
