package storetest_test

import (
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

func TestMembers(t *testing.T) { storetest.Each(t, storetest.Members) }
