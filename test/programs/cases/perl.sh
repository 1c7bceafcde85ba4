# Perl's own view of numbers, strings, sorting, pack and big integers.
perl -e '
use Math::BigInt; use List::Util qw(sum reduce); use POSIX qw(floor fmod strtod);
print Math::BigInt->new(2)->bpow(200), " ", Math::BigInt->new(100)->bfac->bmod("1000000007"), "\n";
printf "%.17g %.17g %.17g %.17g\n", atan2(1, 1) * 4, exp(1), sqrt(2), 1e308 * 10;
printf "%s %s %s\n", 0.1 + 0.2 - 0.3, 2**53 + 1, -7 % 3;
printf "%a %a\n", 1 / 3, 5e-324;
print join(" ", unpack("w*", pack("w*", 1, 300, 70000))), " ", unpack("%32C*", "abc" x 1000), " ",
    join(",", unpack("(d>)2", pack("(d>)2", 1.5, -2.25))), "\n";
my @a = map { ($_ * 7919) % 10007 } 1 .. 5000; my @s = sort { $a <=> $b } @a;
print "$s[0] $s[2500] $s[-1] ", sum(@s), "\n";
my $t = join "", map { chr(97 + $_ % 26) } 1 .. 20000; my $n = () = $t =~ /[aeiou][^aeiou]{2}(?=d|h)/g;
(my $u = $t) =~ tr/a-m/A-M/; print "$n ", length($u), " ", substr($u, 100, 26), "\n";
local $SIG{ALRM} = sub { die "alarm\n" }; alarm 1; eval { 1 while 1 }; print $@;
local $SIG{FPE} = "IGNORE"; eval { my $x = 1 / 0 }; print $@ =~ /division by zero/ ? "division\n" : $@;
print floor(-2.5), " ", fmod(17.5, 5), " ", (strtod("0x1.8p3"))[0], " ", 18446744073709551615 / 3, "\n";
'
