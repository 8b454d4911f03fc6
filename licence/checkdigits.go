package licence

import "strings"

// creditAlphabet is that of GB 32100: no I, O, S, V, Z.
const creditAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// ValidCreditCode verifies form and check character of a 统一社会信用代码 (GB 32100): 18 characters, of which 3–8 are a
// division; weights 3^(i-1), modulus 31.
func ValidCreditCode(code string) bool {
	if len(code) != 18 || !digits(code[2:8]) {
		return false
	}
	sum, weight := 0, 1
	for i := range 17 {
		value := strings.IndexByte(creditAlphabet, code[i])
		if value < 0 {
			return false
		}
		sum += value * weight
		weight = weight * 3 % 31
	}
	return code[17] == creditAlphabet[(31-sum%31)%31]
}

// ValidOrganisationCode verifies form and check character of a 组织机构代码 (GB 11714), written without hyphen:
// 8 characters and one check character, modulus 11.
func ValidOrganisationCode(code string) bool {
	if len(code) != 9 {
		return false
	}
	sum := 0
	for i, weight := range [8]int{3, 7, 9, 10, 5, 8, 4, 2} {
		value := strings.IndexByte(base36, code[i])
		if value < 0 {
			return false
		}
		sum += value * weight
	}
	return code[8] == "0X987654321"[sum%11]
}

// provinces are the first two digits of GB/T 2260, with the residence permits of 81–83.
const provinces = "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83"

// ValidIdentityNumber verifies an 18-character 公民身份号码 (GB 11643): division, date of birth, check character (X upper case).
func ValidIdentityNumber(number string) bool {
	if len(number) != 18 || !digits(number[:17]) || !strings.Contains(provinces, number[:2]) {
		return false
	}
	birth := number[6:10] + "-" + number[10:12] + "-" + number[12:14]
	if _, ok := parseDate(birth); !ok || birth < "1800" {
		return false
	}
	return number[17] == identityCheck(number[:17])
}

// identityCheck returns the check character for 17 digits: ISO 7064 MOD 11-2.
func identityCheck(number string) byte {
	p := 0
	for i := range len(number) {
		p = (p + int(number[i]-'0')) * 2 % 11
	}
	return "0123456789X"[(12-p)%11]
}

// certificateRoot is the first part of every certificate identifier: the object identifier of GB/T 36904.
const certificateRoot = "1.2.156.3005.2."

// ValidCertificateID verifies a certificate identifier (电子证照标识, GB/T 36904): root, type 21, issuer 18 (GB 32100), serial,
// version 3, and a check character by ISO 7064 MOD 37,36 over the parts between, without their dots.
func ValidCertificateID(id string) bool {
	rest, ok := strings.CutPrefix(id, certificateRoot)
	if !ok {
		return false
	}
	parts := strings.Split(rest, ".")
	if len(parts) != 5 || len(parts[0]) != 21 || !ValidCreditCode(parts[1]) || parts[2] == "" || len(parts[3]) != 3 || len(parts[4]) != 1 {
		return false
	}
	return mod3736(strings.Join(parts, ""))
}

// mod3736 reports whether s ends in its check character by ISO 7064 MOD 37,36.
func mod3736(s string) bool {
	p := 36
	for i := range len(s) {
		value := strings.IndexByte(base36, s[i])
		if value < 0 {
			return false
		}
		if i == len(s)-1 {
			return (p+value)%36 == 1
		}
		p = (p + value) % 36
		if p == 0 {
			p = 36
		}
		p = p * 2 % 37
	}
	return false
}
