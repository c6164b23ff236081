// SPDX-License-Identifier: MIT
// poweroff: write everything to the disks and switch the machine off.
#include <sys/reboot.h>
#include <unistd.h>

#include "lib/util.h"

const char prog[] = "poweroff";
const char usage_args[] = "";

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		usage();
	sync();
	reboot(RB_POWER_OFF);
	die("power off");
}
