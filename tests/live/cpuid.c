/* Answers every "leaf subleaf" on its input with the four registers of CPUID, and at the end XCR0. */
#include <cpuid.h>
#include <stdio.h>

int main(void)
{
	unsigned leaf, subleaf, a, b, c, d;

	while (scanf("%x %x", &leaf, &subleaf) == 2) {
		__cpuid_count(leaf, subleaf, a, b, c, d);
		printf("%x %x %x %x\n", a, b, c, d);
	}
	__cpuid(1, a, b, c, d);
	a = d = 0;
	if (c & bit_OSXSAVE)
		__asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	printf("%x %x\n", a, d);
	return 0;
}
