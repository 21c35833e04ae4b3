package stix

// ParseTime reads a STIX timestamp, YYYY-MM-DDTHH:MM:SS[.s+]Z (STIX 2.1 §2.16,
// a narrower form of RFC 3339), as Unix microseconds. Finer digits are cut off.
// A leap second is the first microsecond of the next minute.
func ParseTime(b []byte) (micros int64, ok bool) {
	const form = "dddd-dd-ddTdd:dd:dd"
	if len(b) < len(form)+1 || b[len(b)-1] != 'Z' {
		return 0, false
	}
	for i := range len(form) {
		if c := b[i]; form[i] == 'd' && (c < '0' || c > '9') || form[i] != 'd' && c != form[i] {
			return 0, false
		}
	}
	two := func(i int) int { return int(b[i]-'0')*10 + int(b[i+1]-'0') }
	year, month, day := two(0)*100+two(2), two(5), two(8)
	hour, minute, second := two(11), two(14), two(17)
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 ||
		second > 60 || second == 60 && (hour != 23 || minute != 59) {
		return 0, false
	}
	fraction, ok := parseFraction(b[len(form) : len(b)-1])
	if !ok {
		return 0, false
	}
	seconds := int64(daysSinceEpoch(year, month, day))*86400 + int64(hour*3600+minute*60+second)
	return seconds*1e6 + fraction, true
}

// parseFraction reads ".s+" or nothing, as microseconds.
func parseFraction(b []byte) (micros int64, ok bool) {
	if len(b) == 0 {
		return 0, true
	}
	if b[0] != '.' || len(b) == 1 {
		return 0, false
	}
	unit := int64(100_000)
	for _, c := range b[1:] {
		if c < '0' || c > '9' {
			return 0, false
		}
		micros += int64(c-'0') * unit
		unit /= 10
	}
	return micros, true
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSinceEpoch counts in years that start in March, so that the leap day is
// the last of its year, and one cycle of 400 years late, so that all is positive.
func daysSinceEpoch(year, month, day int) int {
	if month <= 2 {
		year--
		month += 12
	}
	const (
		cycleYears  = 400
		cycleDays   = 146_097
		zeroToEpoch = 719_468 // from 0000-03-01 to 1970-01-01
	)
	year += cycleYears
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1 - cycleDays - zeroToEpoch
}
