cld
movsb
stosq
rep movsq
repne scasb
