package taxii

import (
	"testing"
	"time"
)

func TestAppendTimestamp(t *testing.T) {
	for _, micro := range []int64{0, 1, 999_999, 1_812_553_200_000_300, -1, 253_402_300_799_999_999, 253_402_300_800_000_000, -62_135_596_800_000_000} {
		want := time.UnixMicro(micro).UTC().Format("2006-01-02T15:04:05.000000Z")
		if got := timestamp(micro); got != want {
			t.Errorf("%d is %s, want %s", micro, got, want)
		}
	}
}
