"""Instructions to try on the hardware and on the simulated CPU, by family, in Intel syntax.

esi and edi point into memory, esp to the middle of a stack, five x87 registers are in use. With each
instruction go the flags not to compare, those that the architecture leaves undefined.
"""

from __future__ import annotations

CARRY, PARITY, ADJUST, ZERO, SIGN, OVERFLOW = 1, 4, 0x10, 0x40, 0x80, 0x800
_LETTERS = {"c": CARRY, "p": PARITY, "a": ADJUST, "z": ZERO, "s": SIGN, "o": OVERFLOW}
CONDITIONS = "o no b ae e ne be a s ns p np l ge le g".split()  # noqa: SIM905


def _each(names: str, forms: list[str], undefined: str = "") -> list[tuple[str, int]]:
    mask = sum(_LETTERS[letter] for letter in undefined)
    return [(f"{name} {form}".strip(), mask) for name in names.split() for form in forms]


_PAIRS = ["eax, ebx", "al, bh", "cx, dx", "dword ptr [esi], ecx", "byte ptr [edi], cl"]
_TWO = [*_PAIRS, "edx, [esi]", "eax, 0x12345678", "word ptr [esi], 7", "ebx, -3"]
_ONE = ["eax", "bh", "cx", "dword ptr [esi]", "byte ptr [edi]"]
_COUNTED = ["eax, cl", "bh, cl", "dx, cl", "dword ptr [esi], cl", "ebx, 7", "dx, 17", "bl, 9", "edx, 31"]
_SINGLE = ["eax, 1", "bl, 1", "dx, 1", "word ptr [esi], 1"]
_X, _XM = "xmm0, xmm1", "xmm2, [edi]"

FAMILIES: dict[str, list[tuple[str, int]]] = {
    "integer": _each("add or adc sbb and sub xor cmp test mov", _TWO)
    + _each("xchg", _PAIRS)
    + _each("inc dec neg not", _ONE)
    + _each("xadd cmpxchg", ["eax, ebx", "[esi], ecx", "bl, cl"])
    + _each("movzx movsx", ["eax, bl", "ecx, word ptr [esi]", "dx, byte ptr [edi]"])
    + _each("cmpxchg8b", ["[esi]"])
    + [
        ("cmp eax, ebx\nlock cmpxchg8b [edi]", 0),
        ("mov eax, [esi]\nmov edx, [esi+4]\nsub ecx, 5\ncmpxchg8b [esi]", 0),
    ]
    + _each("bswap", ["eax", "edx"])
    + _each("lea", ["eax, [ebx+ecx*4+5]", "cx, [esi-1]"])
    + _each("cbw cwde cwd cdq lahf sahf clc stc cmc", [""]),
    "shifts": _each("shl shr sar", _SINGLE, "a")
    + _each("shl shr sar", _COUNTED, "ao")
    + _each("rol ror rcl rcr", _SINGLE)
    + _each("rol ror rcl rcr", _COUNTED, "o")
    + _each("shld shrd", ["eax, ebx, cl", "eax, edx, 13", "dword ptr [esi], ebx, cl"], "ao"),
    "multiply and divide": _each("mul imul", ["ebx", "bl", "cx", "dword ptr [esi]"], "szap")
    + _each("imul", ["eax, ebx", "edx, [esi], 77", "ax, cx"], "szap")
    + [("xor edx, edx\nor ebx, 1\ndiv ebx", 0x8D5), ("cdq\nor ecx, 0x10000\nidiv ecx", 0x8D5)]
    + _each("aad", ["", "7"], "oac")
    + _each("aam", [""], "oac"),
    "bits": _each("bt bts btr btc", ["eax, ebx", "cx, dx", "eax, 5", "dword ptr [esi], 37"], "osap")
    + [(f"and edx, 0xfff\n{name} [esi], edx", 0x894) for name in ("bt", "bts", "btr", "btc")]
    + _each("bsf bsr", ["eax, ebx", "cx, word ptr [esi]"], "osapc")
    + _each("popcnt", ["eax, ebx", "edx, [esi]"])
    + _each("lzcnt tzcnt", ["eax, ebx", "cx, dx"], "osap")
    + _each("crc32", ["eax, bl", "ecx, dword ptr [esi]"])
    + _each("movbe", ["eax, [esi]", "[edi], cx"]),
    "conditions": _each(" ".join(f"cmov{c}" for c in CONDITIONS), ["eax, ebx", "ecx, [esi]"])
    + _each(" ".join(f"set{c}" for c in CONDITIONS), ["al", "byte ptr [esi]"])
    + _each(" ".join(f"j{c}" for c in CONDITIONS), [".+3\nnop"]),
    "exceptions": [
        (text, 0)
        for text in (
            "ud2", "hlt", "cli", "int 0x81", "mov al, 0x7f\ninc al\ninto", "aam 0", "xor ecx, ecx\ndiv ecx",
            "mov eax, 9\nmov dword ptr [esi], 1\nmov dword ptr [esi+4], 2\nbound eax, [esi]", "mov eax, cr0",
            "lgdt [esi]", "clts", "rdmsr", "invd", "lldt ax", "ltr ax", "cdq\nmov ecx, 0\nidiv ecx",
            "xor eax, eax\nmov gs, ax\nmov eax, gs:[esi]", "mov eax, [0xfffffffe]", "mov esp, 2\npush eax",
            "mov ebp, -2\nmov eax, [ebp]", "mov ebp, -2\nleave", "mov esi, -1\nlodsd",
            "mov esp, 2\ncall .+5", ".byte 0x8f, 0xc8, 0, 0, 0, 0", "cmp eax, ebx\nud2",
            "movups xmm0, [0xfffffff8]", "minps xmm0, [esi+4]", "roundps xmm0, [esi+4], 8",
            "addps xmm0, [esi+4]", "xor eax, eax\nmov gs, ax\nfld tbyte ptr gs:[esi]",
        )
    ],
    "decimal": _each("daa das", [""], "o") + _each("aaa aas", [""], "oszp"),
    "strings": _each("movsb movsw movsd stosb stosd lodsb lodsw lodsd scasb scasd cmpsb cmpsd", [""])
    + [(f"mov ecx, {n}\n{name}", 0) for n in (0, 1, 9, 40)
     for name in ("rep movsb", "rep movsd",
    "rep stosw")]
    + [(f"mov ecx, {n}\n{name}", 0) for n in (0, 17) for name in ("repne scasb", "repe cmpsb", "repne cmpsd")]
    + [("mov ecx, 5\nstd\nrep movsd\ncld", 0), ("std\nlodsb\ncld", 0), ("mov ecx, 3\nrep lodsd", 0)],
    "stack": [
        (text, 0)
        for text in (
            "push eax\npop ebx", "push dword ptr [esi]\npop ecx", "push 7\npop dword ptr [edi]",
            "pusha\npopa",
            "push esp\npop eax", "pushaw\npopaw", "push ax\npop bx", "push -5\nadd esp, 4",
            "call .+5\npop edx",
            "mov ebp, esp\nenter 16, 0\nleave", "pushf\npop eax\nand eax, 0x8d5", "push ds\npop eax",
            "push 0x8d7\npopf", "mov ecx, 3\nloop .+2", "xor ecx, ecx\njecxz .+2",
            "push dword ptr [esp-4]\npop eax",
        )
    ],
    "SSE arithmetic": _each(
        "addps addpd addss addsd subps subpd subss subsd mulps mulpd mulss mulsd divps "
        "divpd divss divsd sqrtps "
        "sqrtpd sqrtss sqrtsd maxps maxpd maxss maxsd minps minpd minss minsd comiss comisd ucomiss ucomisd "
        "addsubps addsubpd haddps haddpd hsubps hsubpd",
        [_X],
    )
    + _each("addsd subss mulsd divss sqrtsd maxss comisd", [_XM])
    + _each("cmpps cmppd cmpss cmpsd", [f"{_X}, {n}" for n in range(8)])
    + _each("roundps roundpd roundss roundsd", [f"{_X}, {n}" for n in range(5)]),
    "SSE conversions": _each(
        "cvtps2pd cvtpd2ps cvtss2sd cvtsd2ss cvtdq2ps cvtps2dq cvttps2dq cvtdq2pd cvtpd2dq cvttpd2dq", [_X]
    )
    + _each("cvtsi2ss cvtsi2sd", ["xmm0, eax", "xmm3, dword ptr [esi]"])
    + _each("cvtss2si cvttss2si cvtsd2si cvttsd2si", ["eax, xmm0", "edx, [edi]"]),
    "SSE moves": _each(
        "movaps movapd movups movupd movdqa movdqu movss movsd movq movhlps movlhps "
        "movshdup movsldup movddup "
        "unpckhps unpckhpd unpcklps unpcklpd",
        [_X],
    )
    + _each("movups movdqu movss movsd movq movlps movhps lddqu", [_XM])
    + _each("movups movdqu movss movsd movq movlps movhps", ["[esi], xmm0"])
    + _each("shufps shufpd pshufd pshufhw pshuflw", [f"{_X}, {n}" for n in (0, 3, 0x1B, 0x4E)])
    + _each("movd", ["eax, xmm1", "xmm2, ebx"])
    + _each("movmskps movmskpd pmovmskb", ["eax, xmm0"])
    + _each("movnti", ["[esi], eax"]),
    "SSE integers": _each(
        "paddb paddw paddd paddq psubb psubw psubd psubq paddsb paddsw paddusb paddusw psubsb psubsw psubusb "
        "psubusw pmullw pmulhw pmulhuw pmuludq pmaddwd pavgb pavgw psadbw pmaxsw pmaxub "
        "pminsw pminub pand pandn "
        "por pxor pcmpeqb pcmpeqw pcmpeqd pcmpgtb pcmpgtw pcmpgtd packsswb packssdw "
        "packuswb punpckhbw punpckhwd "
        "punpckhdq punpckhqdq punpcklbw punpcklwd punpckldq punpcklqdq psllw pslld psllq "
        "psrlw psrld psrlq psraw "
        "psrad andps andpd andnps orps xorpd",
        [_X],
    )
    + _each("pslldq psrldq psllw psrlq psrad", [f"xmm0, {n}" for n in (0, 1, 7, 15, 16, 33)])
    + _each("pextrw", ["eax, xmm0, 3"])
    + _each("pinsrw", ["xmm0, eax, 5"]),
    "SSSE3 and SSE4": _each(
        "pshufb phaddw phaddd phaddsw phsubw phsubd phsubsw pmaddubsw pmulhrsw psignb "
        "psignw psignd pabsb pabsw "
        "pabsd pblendvb blendvps blendvpd ptest pmovsxbw pmovsxbd pmovsxwd pmovsxdq "
        "pmovzxbw pmovzxbd pmovzxwd "
        "pmovzxdq pmuldq pcmpeqq packusdw pminsb pminsd pminuw pminud pmaxsb pmaxsd pmaxuw pmaxud pmulld "
        "phminposuw pcmpgtq aesenc aesenclast aesdec aesdeclast aesimc",
        [_X],
    )
    + _each(
        "palignr blendps blendpd pblendw mpsadbw insertps pclmulqdq aeskeygenassist",
        [f"{_X}, {n}" for n in (0, 5, 17)],
    )
    + _each("pcmpistri pcmpistrm", [f"{_X}, {n}" for n in (0, 1, 2, 0x12, 0x1A, 0x38, 0x44)])
    + _each("pextrb pextrd extractps", ["eax, xmm0, 1"])
    + _each("pinsrb pinsrd", ["xmm0, eax, 2"]),
    "x87 loads and stores": _each("fld fst fstp", ["dword ptr [esi]", "qword ptr [edi]"])
    + _each("fld fstp", ["tbyte ptr [esi]"])
    + _each("fild fist fistp", ["word ptr [esi]", "dword ptr [edi]"])
    + _each("fild fistp", ["qword ptr [esi]"])
    + _each("fbld", ["tbyte ptr [esi]"])
    + _each("fisttp", ["dword ptr [esi]", "qword ptr [edi]"])
    + _each("fld1 fldz fxch fabs fchs fnop", [""])
    + _each("fld fst fstp fxch", ["st(2)"])
    + _each("ffree", ["st(7)"])
    + _each(" ".join(f"fcmov{c}" for c in ["b", "e", "be", "u", "nb", "ne", "nbe", "nu"]), ["st, st(1)"])
    + _each("fnstcw", ["[esi]"]),
    "x87 arithmetic": _each("fadd fsub fsubr fmul fdiv fdivr", ["st, st(1)", "st(2), st",
    "dword ptr [esi]", "qword ptr [edi]"])
    + _each("fiadd fisub fimul fidiv fidivr ficom", ["dword ptr [esi]", "word ptr [edi]"])
    + _each("faddp fsubp fsubrp fmulp fdivp fdivrp frndint fscale fprem fprem1 ftst fxam", [""])
    + _each("fcom fcomp fucom fucomp", ["st(1)"])
    + _each("fcomi fucomi fcomip fucomip", ["st, st(1)"])
    + _each("fxtract", [""])
    + [("fabs\nfsqrt", 0)],
    "x87 stack": [
        (text, 0)
        for text in (
            "fld1", "fldz", "fld st(0)", "fld qword ptr [edi]", "fild dword ptr [esi]", "fstp st(0)",
            "fstp st(2)", "fst st(3)", "fadd st, st(3)", "faddp st(4), st", "fxch st(6)", "fcompp",
            "fucomip st(2)", "fcmovb st, st(5)", "fstp qword ptr [esi]", "ffree st(1)",
            "fistp dword ptr [esi]", "ffreep st(0)", "fincstp\nftst", "fdecstp\nftst", "fxam", "fxtract",
            "fscale", "fchs", "fninit", "emms", "fnop", "fldpi", "ftst\nfnstenv [esi]",
            "fcom st(1)\nfnstenv [esi]\nfldenv [esi]",
        )
    ],
    "x87 status": [
        (text, 0)
        for text in (
            "fcom st(1)\nfnstsw ax", "fucomp st(1)\nfnstsw [esi]", "fxam\nfnstsw ax", "ftst\nfnstsw ax\nsahf",
            "fdiv st, st(1)\nfcom st(1)\nfnstsw ax", "fadd st, st(1)\nfnclex\nfxam\nfnstsw ax",
            "fprem\nfnstsw ax", "fprem\nfnstenv [esi]", "fisttp dword ptr [edi]\nfnstenv [esi]",
            "fld1\nfnstenv [esi]\nfldenv [esi]\nfxam\nfnstsw ax", "fdiv st, st(1)\nfnstsw ax\nand eax, 0x3d",
            "fninit\nfld1\nfldz\nfld1\nfldz\nfxam\nfnstsw ax", "stmxcsr [esi]",
            "divsd xmm0, xmm1\nstmxcsr [esi]",
            "cvtsd2si eax, xmm0\nstmxcsr [esi]\nmov dword ptr [edi], 0x1f80\nldmxcsr [edi]\nstmxcsr [edi]",
        )
    ],
}  # fmt: skip
