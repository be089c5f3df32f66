package charts

import (
	"bytes"
	"encoding/json"
)

// valuesMap is what a values file with the same content would hold.
func valuesMap(typed any) (map[string]any, error) {
	data, err := json.Marshal(typed)
	if err != nil {
		return nil, err
	}
	var values map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&values); err != nil {
		return nil, err
	}
	prune(values)
	return values, nil
}

// Some of Kubernetes' structs write fields that were not set: a null, an empty object of a type that is no pointer, a
// port or a divisor 0. An empty object elsewhere says something (emptyDir, podSelector) and stays.
var (
	writtenEmpty   = map[string]bool{"resources": true, "metadata": true, "status": true, "strategy": true}
	writtenPort0In = map[string]bool{"httpGet": true, "tcpSocket": true, "grpc": true}
)

func prune(values map[string]any) {
	for key, value := range values {
		switch value := value.(type) {
		case nil:
			delete(values, key)
		case string:
			if key == "divisor" && value == "0" {
				delete(values, key)
			}
		case map[string]any:
			prune(value)
			if len(value) == 0 && writtenEmpty[key] {
				delete(values, key)
			}
			if writtenPort0In[key] && value["port"] == float64(0) {
				delete(value, "port")
			}
		case []any:
			for _, item := range value {
				if item, ok := item.(map[string]any); ok {
					prune(item)
				}
			}
		}
	}
}
