package testcluster_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

func TestVolumes(t *testing.T) {
	for _, policy := range []corev1.PersistentVolumeReclaimPolicy{corev1.PersistentVolumeReclaimDelete, corev1.PersistentVolumeReclaimRetain} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			cluster := testcluster.Shared(t)
			namespace := cluster.Namespace(t)
			k := client(t, cluster)
			class, err := k.StorageV1().StorageClasses().Create(t.Context(), &storagev1.StorageClass{
				ObjectMeta:           metav1.ObjectMeta{GenerateName: "class-"},
				Provisioner:          "fairlead.dev/volume",
				ReclaimPolicy:        &policy,
				AllowVolumeExpansion: ptr.To(true),
				VolumeBindingMode:    ptr.To(storagev1.VolumeBindingWaitForFirstConsumer),
			}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				k.StorageV1().StorageClasses().Delete(context.Background(), class.Name, metav1.DeleteOptions{})
			})
			set := &appsv1.StatefulSet{
				ObjectMeta: metav1.ObjectMeta{Name: "db"},
				Spec: appsv1.StatefulSetSpec{
					Replicas: ptr.To[int32](3),
					Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
					Template: podTemplate("db:1.0"),
					VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{
						ObjectMeta: metav1.ObjectMeta{Name: "data"},
						Spec: corev1.PersistentVolumeClaimSpec{
							StorageClassName: &class.Name,
							AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
							Resources:        corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{"storage": resource.MustParse("1Gi")}},
						},
					}},
				},
			}
			if _, err := k.AppsV1().StatefulSets(namespace).Create(t.Context(), set, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
				s, err := k.AppsV1().StatefulSets(namespace).Get(ctx, "db", metav1.GetOptions{})
				if err == nil && s.Status.AvailableReplicas != 3 {
					err = fmt.Errorf("%d of 3 replicas are available", s.Status.AvailableReplicas)
				}
				return err
			})

			claims := k.CoreV1().PersistentVolumeClaims(namespace)
			patch := []byte(`{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}`)
			claim, err := claims.Patch(t.Context(), "data-db-0", types.MergePatchType, patch, metav1.PatchOptions{})
			if err != nil {
				t.Fatal(err)
			}
			want := resource.MustParse("2Gi")
			testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
				claim, err := claims.Get(ctx, "data-db-0", metav1.GetOptions{})
				if err != nil {
					return err
				}
				if claim.Status.Phase != corev1.ClaimBound || !claim.Status.Capacity.Storage().Equal(want) {
					return fmt.Errorf("claim is %s with %v", claim.Status.Phase, claim.Status.Capacity.Storage())
				}
				volume, err := k.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
				if err == nil && (!volume.Spec.Capacity.Storage().Equal(want) || volume.Spec.PersistentVolumeReclaimPolicy != policy) {
					err = fmt.Errorf("volume has %v and policy %s", volume.Spec.Capacity.Storage(), volume.Spec.PersistentVolumeReclaimPolicy)
				}
				return err
			})

			if err := k.AppsV1().StatefulSets(namespace).Delete(t.Context(), "db", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := claims.Delete(t.Context(), "data-db-0", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
				volume, err := k.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
				switch {
				case policy == corev1.PersistentVolumeReclaimDelete && apierrors.IsNotFound(err):
					return nil
				case err != nil:
					return err
				case policy == corev1.PersistentVolumeReclaimRetain && volume.Status.Phase == corev1.VolumeReleased:
					return k.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
				}
				return fmt.Errorf("the volume is %s", volume.Status.Phase)
			})
		})
	}
}

func TestLoadBalancerGetsAddress(t *testing.T) {
	cluster := testcluster.Shared(t)
	namespace := cluster.Namespace(t)
	k := client(t, cluster)
	if _, err := k.CoreV1().Services(namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		s, err := k.CoreV1().Services(namespace).Get(ctx, "web", metav1.GetOptions{})
		if err == nil && len(s.Status.LoadBalancer.Ingress) != 1 {
			err = fmt.Errorf("ingress %v", s.Status.LoadBalancer.Ingress)
		}
		return err
	})
}
