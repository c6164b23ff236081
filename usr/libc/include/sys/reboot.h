// SPDX-License-Identifier: MIT
/*
 * Ends the machine's run without asking anyone: sync first. -1 and errno (EPERM, EINVAL).
 */
#pragma once

#include <abi/reboot.h>

#define RB_AUTOBOOT    LINUX_REBOOT_CMD_RESTART
#define RB_HALT_SYSTEM LINUX_REBOOT_CMD_HALT
#define RB_POWER_OFF   LINUX_REBOOT_CMD_POWER_OFF

int reboot(unsigned command);
