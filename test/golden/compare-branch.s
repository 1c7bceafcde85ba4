1: slt a0,a1,a2
beqz a0,2f
bltu a1,a2,1b
bge a3,a4,1b
2: ret
