// A C program that dies in the way its first argument names, deep in calls
// that are hard to unwind: no frame pointers, callbacks from libc, signal
// frames, realigned stacks, calls that do not return.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

static volatile int sink;
static const char *how;
static int *volatile null;
static void (*volatile bad)(void) = (void (*)(void))0x10;

// The call is the last instruction; the return address is the next function's.
NOINLINE __attribute__((noreturn)) static void give_up(int n) {
	sink = n;
	abort();
}

// A leaf without a frame.
NOINLINE static int store(int *p, int v) {
	*p = v;
	return v + 1;
}

NOINLINE static void jump(void) {
	bad();
	sink++;
}

// An overaligned local makes the compiler address the frame by an expression.
NOINLINE __attribute__((force_align_arg_pointer)) static int aligned(int n) {
	_Alignas(64) char buf[128];
	memset(buf, n, sizeof buf);
	sink = buf[n & 127];
	if (!strcmp(how, "abort"))
		give_up(n);
	else if (!strcmp(how, "jump"))
		jump();
	else
		store(null, n);
	return buf[1] + sink;
}

// A frame of a size that is known at run time only.
NOINLINE static int dynamic(int n) {
	char *p = __builtin_alloca(n * 16 + 8);
	memset(p, n, n * 16 + 8);
	sink = p[n];
	return aligned(n) + p[n + 1];
}

NOINLINE static int compare(const void *a, const void *b) {
	int x = *(const int *)a, y = *(const int *)b;
	if (x + y == 9)
		sink += dynamic(x);
	return x - y;
}

NOINLINE static int sort(int n) {
	int v[] = {7, 3, 2, 6, 1, n};
	qsort(v, 6, sizeof v[0], compare);
	return v[0];
}

NOINLINE static int descend(int n, long a, long b, long c, long d) {
	if (n == 0)
		return sort(4);
	int r = descend(n - 1, b + n, c ^ n, d * 3, a);
	return r + (int)(a + b * c - d);
}

static void *run(void *arg) {
	sink = descend(20, 1, 2, 3, 4);
	return arg;
}

NOINLINE static void in_handler(int sig) {
	sink = sig;
	signal(SIGABRT, SIG_DFL);
	give_up(sig);
}

static void handler(int sig) {
	in_handler(sig);
	sink++;
}

int main(int argc, char **argv) {
	how = argc > 1 ? argv[1] : "abort";
	if (argc > 2 && strstr(argv[2], "handler")) {
		stack_t st = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
		sigaltstack(&st, 0);
		struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
		sigaction(SIGSEGV, &sa, 0);
	}
	if (argc > 2 && strstr(argv[2], "thread")) {
		pthread_t t;
		pthread_create(&t, 0, run, 0);
		pthread_join(t, 0);
	}
	run(0);
	return sink;
}
