// SPDX-License-Identifier: MIT
/*
 * Of <utmp.h> only what has to do with terminals: who is logged in is recorded nowhere.
 */
#pragma once

/* Lead a new session with the terminal fd, which becomes descriptors 0, 1 and 2. */
int login_tty(int fd);
