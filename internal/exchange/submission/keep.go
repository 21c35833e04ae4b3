package submission

// Keep stages an artifact by stage for another room, and keeps Sweep from it
// until end is called.
func (s *Service) Keep(stage func() (int64, error)) (number int64, end func(), err error) {
	s.opening.RLock()
	defer s.opening.RUnlock()
	if number, err = stage(); err != nil {
		return 0, nil, err
	}
	s.begin(number)
	return number, func() { s.end(number) }, nil
}
