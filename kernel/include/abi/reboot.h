// SPDX-License-Identifier: MIT
/*
 * reboot(magic1, magic2, command, argument): the two magic words guard against accidents.
 */
#pragma once

#define LINUX_REBOOT_MAGIC1  0xfee1deadU
#define LINUX_REBOOT_MAGIC2  672274793
#define LINUX_REBOOT_MAGIC2A 85072278
#define LINUX_REBOOT_MAGIC2B 369367448
#define LINUX_REBOOT_MAGIC2C 537993216

#define LINUX_REBOOT_CMD_RESTART   0x01234567U
#define LINUX_REBOOT_CMD_HALT      0xcdef0123U
#define LINUX_REBOOT_CMD_CAD_ON    0x89abcdefU
#define LINUX_REBOOT_CMD_CAD_OFF   0x00000000U
#define LINUX_REBOOT_CMD_POWER_OFF 0x4321fedcU
#define LINUX_REBOOT_CMD_RESTART2  0xa1b2c3d4U
