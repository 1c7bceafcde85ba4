fadd.d fa0,fa1,fa2
fmul.s fa3,fa4,fa5
fmadd.d fa0,fa1,fa2,fa3
