// Two calls that are inlined into main, and a fault in the inner one.
static int *volatile null;

static inline __attribute__((always_inline)) int inner(int n) {
	*null = n; // line 5
	return n;
}

static inline __attribute__((always_inline)) int outer(int n) {
	return inner(n + 1) + 1; // line 10
}

int main(int argc, char **argv) {
	return outer(argc); // line 14
}
