package seal

func verifyOFD(file []byte, roots Roots) (Report, error) { return Report{}, ErrFormat }
