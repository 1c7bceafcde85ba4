# Logic on the low part of a register: one operation on all of it.
    xor ax, 0xa001
    and cl, 0xf0
    or dl, bl
    not si
    jz 1f
1:  ret
