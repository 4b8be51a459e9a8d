/* Faults on a stack full of 0x33 with known registers and writes, from its handler, the whole frame.
   FLAGS are those of sigaction, SP is where in the stack esp stands. Uses no FPU. */
	.globl	_start
	.text
_start:	movl	$stack, %edi
	movl	$16384, %ecx
	movb	$0x33, %al
	rep stosb
	movl	$174, %eax		/* rt_sigaction */
	movl	$11, %ebx
	movl	$action, %ecx
	xorl	%edx, %edx
	movl	$8, %esi
	int	$0x80
	movl	$stack + SP, %esp
	movl	$0xb0b0b0b0, %ebx
	movl	$0xc0c0c0c0, %ecx
	movl	$0xd0d0d0d0, %edx
	movl	$0x51515151, %esi
	movl	$0xd1d1d1d1, %edi
	movl	$0xbbbbbbbb, %ebp
	xorl	%eax, %eax
	movl	(%eax), %eax

handler: movl	$4, %eax		/* write */
	movl	$1, %ebx
	movl	%esp, %ecx
	movl	$stack + SP, %edx
	subl	%esp, %edx
	int	$0x80
	movl	$1, %eax		/* exit */
	xorl	%ebx, %ebx
	int	$0x80

	.data
action:	.long	handler, FLAGS, 0, 0, 0
	.bss
	.balign	64
stack:	.skip	16384
