// SPDX-License-Identifier: MIT
/*
 * The signal mask in a jmp_buf: slot 26 says whether it was saved, slot 27 is the mask.
 */
#include <setjmp.h>
#include <signal.h>

void __sigsetjmp_save(unsigned long *env);

void __sigsetjmp_save(unsigned long *env)
{
	sigprocmask(SIG_SETMASK, NULL, (sigset_t *)&env[27]);
}

void siglongjmp(sigjmp_buf env, int value)
{
	if (env[26])
		sigprocmask(SIG_SETMASK, (sigset_t *)&env[27], NULL);
	longjmp(env, value);
}
