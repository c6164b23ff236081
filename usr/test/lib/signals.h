// SPDX-License-Identifier: MIT
// Handlers that count, and what makes them.
#pragma once

#include <signal.h>

extern volatile sig_atomic_t count, last; // signals, and the number of the last one
void on_signal(int signo);                // notes both

void handle(int signo, void (*handler)(int), int flags);
void block(int signo, sigset_t *old);
