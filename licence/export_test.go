package licence

import "time"

// OpenCheckCode opens a check code without looking for its licence.
func OpenCheckCode(s *Service, text string) (number string, expires time.Time, err error) {
	return s.openCheckCode(text)
}
