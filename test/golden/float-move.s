fld fa0,0(a0)
fsd fa0,8(a0)
flw fa1,0(a0)
fsgnjn.d fa2,fa0,fa1
fmv.x.d a1,fa2
fmv.w.x fa3,a1
