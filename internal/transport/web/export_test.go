package web

import "net/http"

// Static returns the handler of static files and where each is found, for tests.
func Static() (http.Handler, func(name string) string) {
	static, err := loadAssets(assetFiles)
	if err != nil {
		panic(err)
	}
	return static, static.url
}
