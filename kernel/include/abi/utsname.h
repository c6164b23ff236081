// SPDX-License-Identifier: MIT
/*
 * What uname says.
 */
#pragma once

#define ABI_UTSNAME_LEN 65 /* with the NUL */

struct utsname {
	char sysname[ABI_UTSNAME_LEN];
	char nodename[ABI_UTSNAME_LEN];
	char release[ABI_UTSNAME_LEN];
	char version[ABI_UTSNAME_LEN];
	char machine[ABI_UTSNAME_LEN];
	char domainname[ABI_UTSNAME_LEN];
};
