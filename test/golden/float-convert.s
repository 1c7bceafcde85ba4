fcvt.l.d a0,fa0,rtz
fcvt.d.w fa1,a1
feq.d a2,fa0,fa1
fcvt.s.d fa2,fa0
