# Digests, ciphers and signatures against known answers; openssl chooses its code by CPUID.
for d in md5 sha1 sha256 sha512 sha3-256 blake2b512; do printf abc | openssl dgst -$d; done
head -c 1000000 /dev/zero | tr '\0' a | openssl dgst -sha256
cipher() { printf 'The quick brown fox jumps over it' | openssl enc -$1 -K $2 -iv $3 | od -An -tx1 | tr -d ' \n'; echo; }
k=000102030405060708090a0b0c0d0e0f
cipher aes-128-cbc $k $k
cipher aes-256-ctr $k$k $k
cipher chacha20 $k$k $k
openssl mac -cipher aes-128-cbc -macopt hexkey:$k -in /etc/os-release CMAC >/dev/null && printf abc >m && openssl mac -cipher aes-128-cbc -macopt hexkey:$k -in m CMAC
openssl mac -macopt hexkey:$k$k -in m poly1305
openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt pass:password -kdfopt salt:salt -kdfopt iter:1000 PBKDF2
for a in prime256v1 secp384r1; do
    openssl ecparam -name $a -genkey -noout -out k 2>/dev/null; openssl pkey -in k -pubout -out p
    openssl dgst -sha256 -sign k -out s m && openssl dgst -sha256 -verify p -signature s m
done
openssl genpkey -algorithm x25519 -out a; openssl genpkey -algorithm x25519 -out b
openssl pkey -in a -pubout -out ap; openssl pkey -in b -pubout -out bp
openssl pkeyutl -derive -inkey a -peerkey bp -out 1; openssl pkeyutl -derive -inkey b -peerkey ap -out 2; cmp 1 2 && echo same secret
openssl genrsa -out r 1024 2>/dev/null; openssl rsa -check -noout -in r
openssl prime 170141183460469231731687303715884105727
