// SPDX-License-Identifier: MIT
#include <strings.h>

int ffs(int word)
{
	unsigned rest = (unsigned)word;
	int n = 1;

	if (!rest)
		return 0;
	for (; !(rest & 1); rest >>= 1)
		n++;
	return n;
}
