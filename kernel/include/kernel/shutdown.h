// SPDX-License-Identifier: MIT
/*
 * The end of a session: everything stopped, written, unmounted, and the power off.
 */
#pragma once

#include <stdbool.h>

/*
 * End all processes but the running one, write everything back, unmount, and power off, or restart.
 * status is pid 1's as wait4 would report it.  May sleep; does not return.
 */
_Noreturn void machine_shutdown(int status, bool restart);
